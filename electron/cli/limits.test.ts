import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { bundleEntry } from '../host/testing/bundleEntry.ts';
import { leaveBehind } from '../host/testing/leftBehind.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

// What the machine or the person gives too little of, or what has no end: one line, the right exit status, no stack.
let cli: string;
let home: string;
beforeAll(async () => {
  cli = await bundleEntry('electron/cli/main.ts', 'cli.mjs');
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-limits-'));
});
afterEach(() => {
  chmodSync(home, 0o755);
  rmSync(home, { recursive: true, force: true });
});

interface Ended {
  readonly status: number;
  readonly stderr: string;
}

async function ended(command: string, args: readonly string[], dynoHome: string): Promise<Ended> {
  try {
    const { stderr } = await promisify(execFile)(command, [...args], {
      env: { ...process.env, DYNO_HOME: dynoHome, NO_COLOR: '1' },
      timeout: 50_000,
    });
    return { status: 0, stderr };
  } catch (thrown) {
    const { code, stderr } = thrown as { readonly code?: number; readonly stderr?: string };
    return { status: code ?? -1, stderr: stderr ?? '' };
  }
}
const dyno = (args: readonly string[], dynoHome = home) => ended(process.execPath, [cli, ...args], dynoHome);
const start = ['run', 'labs/dynamic_router:dynamic_router', '--set', 'requests=50'];

test('a question mark in DYNO_HOME is told, and nothing is written beside it', async () => {
  const odd = join(home, 'a?b');
  expect(await dyno(['runs'], odd)).toEqual({
    status: 2,
    stderr: `dyno: DYNO_HOME: ${odd}/runs: a question mark in the path of the runs folder, expected none\n`,
  });
  expect(existsSync(join(home, 'a'))).toBe(false);
});

describe.skipIf(process.platform === 'win32')('on a system with devices and limits', () => {
  test.each([
    [['run', '--spec', '/dev/zero'], 'a run spec (JSON)'],
    [['open', '/dev/zero'], 'a trace of requests'],
    [['trace', 'inspect', '/dev/zero'], 'a trace'],
    [['models', '/dev/zero'], 'a Hugging Face config.json'],
    [['import', '/dev/zero'], 'the result'],
  ])('dyno %s: a device without an end is refused in one line', async (args, expected) => {
    const { status, stderr } = await dyno(args);
    expect(stderr).toMatch(/^dyno: \/dev\/zero: it is a device, expected [^\n]*\n$/);
    expect(stderr).toContain(expected);
    expect(status).toBe(2);
  });

  test.each([20, 24])('with %i descriptors a run ends in one line and says what was too few', async (few) => {
    const { status, stderr } = await ended(
      'bash',
      ['-c', `ulimit -n ${few}; exec "$0" "$@"`, process.execPath, cli, ...start],
      home,
    );
    expect(stderr).toMatch(/^dyno: [^\n]*(EMFILE|[Tt]oo many open files)[^\n]*\n(kept: [^\n]*\n)?$/);
    expect(status).toBe(1);
  });
});

/** Root writes everywhere: it runs the command as another user. */
const isRoot = process.getuid?.() === 0;
const canDrop = (() => {
  if (!isRoot) return process.platform !== 'win32';
  try {
    execFileSync('setpriv', ['--reuid', '65534', '--clear-groups', 'cat', import.meta.filename]);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!canDrop)('in a home that cannot be written', () => {
  const readOnly = (args: readonly string[]) =>
    isRoot
      ? ended('setpriv', ['--reuid', '65534', '--clear-groups', process.execPath, cli, ...args], home)
      : dyno(args);

  test('a run ends in one line with the folder and the reason', async () => {
    chmodSync(home, 0o555);
    const { status, stderr } = await readOnly(start);
    expect(stderr).toMatch(/^dyno: [^\n]*: no permission\n$/);
    expect(stderr).toContain(join(home, 'runs'));
    expect(status).toBe(1);
  });

  test('runs are listed all the same, and what was left behind stays as it is', async () => {
    const runs = join(home, 'runs');
    mkdirSync(runs);
    const folder = await leaveBehind(runs, 'left', 10);
    for (const path of [folder, runs, home]) chmodSync(path, 0o555);
    try {
      const { status, stderr } = await readOnly(['runs']);
      expect(stderr).not.toMatch(/\n {4}at /);
      expect(status).toBe(0);
      expect(existsSync(join(folder, 'live.duckdb'))).toBe(true);
    } finally {
      for (const path of [home, runs, folder]) chmodSync(path, 0o755);
    }
  });
});
