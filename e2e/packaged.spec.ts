// The app as it is shipped: packaged, with its fuses set. Playwright cannot drive it, since a fuse takes --inspect away;
// its own words on stdout tell that the window became interactive.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { FuseState } from '@electron/fuses/dist/constants.js';
import { sandboxSwitches } from '../scripts/electron/runtime.mjs';
import { root } from '../scripts/project.mjs';
import { expect, test } from './support/test.ts';

test.skip(process.platform !== 'linux', 'the unpacked folder is named as on Linux');

// A folder of its own: the runtime may be one that is never shipped.
const folder = join(root, 'dist/for-test/linux-unpacked');
const executable = join(folder, 'dyno');

test.beforeAll(() => {
  test.setTimeout(120_000);
  execFileSync(process.execPath, [join(root, 'scripts/dist.mjs'), '--dir', '--for-test'], {
    cwd: root,
    stdio: 'pipe',
  });
});

test('its fuses are set', async () => {
  const wire = await getCurrentFuseWire(executable);
  const isOn = (fuse: FuseV1Options) => wire[fuse] === FuseState.ENABLE;
  expect(isOn(FuseV1Options.RunAsNode), 'runs are plain processes').toBe(true);
  expect(isOn(FuseV1Options.EnableCookieEncryption)).toBe(true);
  expect(isOn(FuseV1Options.EnableNodeOptionsEnvironmentVariable)).toBe(false);
  expect(isOn(FuseV1Options.EnableNodeCliInspectArguments)).toBe(false);
  expect(isOn(FuseV1Options.EnableEmbeddedAsarIntegrityValidation)).toBe(true);
  expect(isOn(FuseV1Options.OnlyLoadAppFromAsar)).toBe(true);
  expect(isOn(FuseV1Options.GrantFileProtocolExtraPrivileges)).toBe(false);
});

test('its window becomes interactive, and it ends when told to', async ({ home }) => {
  const app = spawn(executable, [...sandboxSwitches(), `--user-data-dir=${join(home, 'user-data')}`], {
    env: { ...process.env, DYNO_HOME: home, DYNO_TIMING: '1' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await line(app, /^timing: interactive \d+ ms$/m);
    app.kill('SIGTERM');
    await expect.poll(() => app.exitCode ?? app.signalCode, { timeout: 10_000 }).not.toBeNull();
    expect(app.exitCode ?? app.signalCode).toBe(0);
  } finally {
    app.kill('SIGKILL');
  }
});

test('it does not listen for a debugger, whatever the command line says', async ({ home }) => {
  const port = await freePort();
  const app = spawn(
    executable,
    [...sandboxSwitches(), `--remote-debugging-port=${port}`, `--user-data-dir=${join(home, 'user-data')}`],
    { env: { ...process.env, DYNO_HOME: home, DYNO_TIMING: '1' }, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  try {
    await line(app, /^timing: interactive \d+ ms$/m);
    await expect(fetch(`http://127.0.0.1:${port}/json/version`)).rejects.toThrow();
  } finally {
    app.kill('SIGKILL');
  }
});

test('the licences of everything shipped lie beside it', () => {
  const files = readdirSync(folder);
  expect(files).toEqual(
    expect.arrayContaining(['LICENSE.dyno.txt', 'THIRD-PARTY-NOTICES.txt', 'LICENSES.chromium.html']),
  );
  const notices = readFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  for (const name of [
    ...['react', 'echarts', 'zod', '@duckdb/node-api', '@mantine/core', 'commander'],
    ...['@fontsource-variable/inter', '@fontsource-variable/jetbrains-mono', 'node-addon-api'],
  ])
    expect(notices).toMatch(new RegExp(`^${name} \\d`, 'm'));
});

test('every kernel that was built is in it', () => {
  const built = join(root, 'native/build/kernels');
  test.skip(!existsSync(built), 'no kernels were built here');
  const kernels = (path: string) =>
    readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(fatbin|cu)$/.test(name))
      .sort();
  expect(kernels(join(folder, 'resources/app.asar.unpacked/native/build/kernels'))).toEqual(kernels(built));
});

test('its command line runs from the archive', ({ home }) => {
  const cli = join(folder, 'resources/app.asar/out/cli.mjs');
  const env = { ...process.env, DYNO_HOME: home, ELECTRON_RUN_AS_NODE: '1' };
  const targets: unknown = JSON.parse(
    execFileSync(executable, [cli, 'list', '--json'], { env, encoding: 'utf8' }),
  );
  expect(JSON.stringify(targets)).toContain('labs/dynamic_router:dynamic_router');
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Waits for a line on the app's stdout. */
async function line(app: ChildProcess, pattern: RegExp): Promise<void> {
  let words = '';
  app.stdout?.on('data', (bytes: Buffer) => {
    words += bytes.toString();
  });
  await expect.poll(() => words, { timeout: 30_000 }).toMatch(pattern);
}
