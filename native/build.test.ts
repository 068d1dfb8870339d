import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { nativeFolder } from './index.ts';

const script = join(import.meta.dirname, 'build.mjs');
const built = existsSync(join(import.meta.dirname, 'build', 'dyno.node'));

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An app folder that has `files` (empty ones), for looking things up in. */
function appWith(files: readonly string[]): string {
  const app = mkdtempSync(join(tmpdir(), 'dyno-app-'));
  folders.push(app);
  for (const file of files) {
    mkdirSync(join(app, file, '..'), { recursive: true });
    writeFileSync(join(app, file), '');
  }
  return app;
}

describe('where the addon is', () => {
  it.each([
    ['beside the sources', 'native/index.ts', 'native/build'],
    ['beside a bundle', 'out/host.mjs', 'native/build'],
    ['unpacked next to a packaged app', 'app.asar/out/host.mjs', 'app.asar.unpacked/native/build'],
  ])('%s', (_, module, expected) => {
    const app = appWith([`${expected}/dyno.node`]);
    expect(nativeFolder(pathToFileURL(join(app, module)).href)).toBe(join(app, expected));
  });
});

describe('build.mjs', () => {
  it('says in one line what is missing without a compiler, and exits with 3', () => {
    const { CXX: _, ...environment } = process.env;
    const done = spawnSync(process.execPath, [script], { env: { ...environment, PATH: '/nowhere' } });
    expect(done.status).toBe(3);
    expect(String(done.stderr).trim().split('\n')).toEqual([
      expect.stringContaining('no C++ compiler found'),
    ]);
  });

  it('refuses an option that it does not know', () => {
    const done = spawnSync(process.execPath, [script, '--logic-tests=memory']);
    expect(done.status).toBe(2);
  });

  it.skipIf(!built)('is silent when everything is up to date', () => {
    const done = spawnSync(process.execPath, [script]);
    expect([done.status, String(done.stdout), String(done.stderr)]).toEqual([0, '', '']);
  });
});
