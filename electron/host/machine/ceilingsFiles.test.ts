import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { measuredCeilingsIn } from './ceilingsFiles.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-ceilings-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const document = (value: number) => ({
  name: 'NVIDIA H200',
  cudaDriver: '13.0',
  ceilings: [
    { id: 'hbmRead', name: 'HBM read', value, unit: 'bytes/s', repetitions: 5, definition: 'Reads.' },
  ],
  waived: [],
  seconds: 12,
});

it('keeps one measurement per card, the newest, and says what is wrong with a file', async () => {
  const [file, kept] = [join(home, 'printed.json'), join(home, 'ceilings')];
  expect(await measuredCeilingsIn(kept)).toEqual([]);
  writeFileSync(file, JSON.stringify(document(4.1e12)));
  await measuredCeilingsIn(kept, file);
  writeFileSync(file, JSON.stringify(document(4.4e12)));
  expect(await measuredCeilingsIn(kept, file)).toMatchObject([
    { name: 'NVIDIA H200', ceilings: [{ id: 'hbmRead', value: 4.4e12 }] },
  ]);
  writeFileSync(file, '{}');
  await expect(measuredCeilingsIn(kept, file)).rejects.toThrow('dyno ceilings --json');
  await expect(measuredCeilingsIn(kept, join(home, 'none.json'))).rejects.toThrow('no such file');
});
