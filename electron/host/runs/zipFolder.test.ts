import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeZip } from './zipFolder.ts';

test.skipIf(process.platform === 'win32')(
  'a symbolic link is no part of a zip, and leaves none behind',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dyno-zip-'));
    try {
      writeFileSync(join(folder, 'secret'), 'the secret');
      symlinkSync(join(folder, 'secret'), join(folder, 'log.parquet'));
      await expect(writeZip(folder, ['log.parquet'], join(folder, 'out.zip'))).rejects.toThrow();
      expect(readdirSync(folder).sort()).toEqual(['log.parquet', 'secret']);
      expect(await writeZip(folder, ['secret'], join(folder, 'out.zip'))).toBeGreaterThan(100);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
