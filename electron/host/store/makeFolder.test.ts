import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder } from './makeFolder.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dyno-folder-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('makes a folder and those above it, and is content with one that is there', async () => {
  const deep = join(root, 'a/b/c');
  await makeFolder(deep);
  await makeFolder(deep);
  expect(statSync(deep).isDirectory()).toBe(true);
});

test('a file in the way is an error', async () => {
  writeFileSync(join(root, 'a'), '');
  await expect(makeFolder(join(root, 'a'))).rejects.toThrow('EEXIST');
  await expect(makeFolder(join(root, 'a/b'))).rejects.toThrow('ENOTDIR');
});

test.runIf(existsSync('/proc/self'))(
  'a file system that refuses is an error, not an endless loop',
  async () => {
    await expect(makeFolder('/proc/dyno/run')).rejects.toThrow('ENOENT');
  },
);
