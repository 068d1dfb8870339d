// Expectations and input checks through the command line itself.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleEntry } from '../host/testing/bundleEntry.ts';

let cli: string;
let home: string;

beforeAll(async () => {
  cli = await bundleEntry('electron/cli/main.ts', 'cli.mjs');
  await bundleEntry('electron/runner/main.ts', 'runner.mjs');
  home = mkdtempSync(join(tmpdir(), 'dyno-harness-'));
}, 120_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

function dyno(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [cli, ...args], {
    env: { ...process.env, DYNO_HOME: home, NO_COLOR: '1' },
  });
  return new Promise((resolve) => {
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (bytes) => {
      stdout += bytes;
    });
    child.stderr.on('data', (bytes) => {
      stderr += bytes;
    });
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

const scheduling = ['serving:scheduling', '--set', 'duration_s=10', '--no-keep'];
const routing = ['labs/dynamic_router:dynamic_router', '--set', 'requests=200', '--no-keep'];

test('a bench is recorded, held to its record by another process, and fails where the record was better', async () => {
  const kept = ['--expectations', join(home, 'expected')];
  const bench = (...more: string[]) => dyno('bench', ...scheduling, ...kept, ...more);
  expect(await bench('--update-expectations')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('expectations: recorded in'),
  });
  const same = await bench('--expect', '--json');
  expect(same.status).toBe(0);
  expect(JSON.parse(same.stdout).expectations).toMatchObject({
    status: 'as_expected',
    fails: false,
    hardware: 'sim',
  });
  const path = join(home, 'expected/sim.json');
  const document = JSON.parse(readFileSync(path, 'utf8'));
  const [first] = document.expectations;
  expect(first).toMatchObject({
    target: 'serving:scheduling',
    command: 'serving:scheduling --set duration_s=10',
  });
  for (const figure of first.figures) if (figure.metric === 'throughput_rps') figure.median *= 1.5;
  writeFileSync(path, JSON.stringify(document));
  const worse = await bench('--expect');
  expect(worse.status).toBe(1);
  expect(worse.stdout).toMatch(/optimized +Throughput .* regressed/);
}, 60_000);

test('several targets record their expectations in one file, and the table says so', async () => {
  const names = ['labs/dynamic_router:dynamic_router', 'labs/dynamic_router:dual_pool'];
  const folder = join(home, 'many');
  const options = ['--set', 'requests=100', '--expectations', folder, '--no-keep', '--update-expectations'];
  const { status, stdout } = await dyno('bench', ...names, ...options);
  expect([status, stdout]).toEqual([0, expect.stringMatching(/expectations\n(?:.*\n){2}.*recorded\n/)]);
  const { expectations } = JSON.parse(readFileSync(join(folder, 'sim.json'), 'utf8'));
  expect(expectations.map(({ target }: { readonly target: string }) => target)).toEqual(names.toSorted());
}, 120_000);

test('simulated figures follow from seed and traffic, and from nothing else', async () => {
  const { status, stdout } = await dyno('bench', ...routing, '--check-inputs', '--json');
  const { inputs } = JSON.parse(stdout);
  expect(status).toBe(0);
  expect(
    inputs.map(({ variant, check, status: how }: Record<string, string>) => `${variant} ${check} ${how}`),
  ).toEqual(
    ['baseline', 'optimized'].flatMap((variant) =>
      ['repeat', 'fresh_seed', 'jitter'].map((check) => `${variant} ${check} passed`),
    ),
  );
}, 60_000);

test('options that can check nothing are refused', async () => {
  for (const [words, options] of [
    ['nothing is checked', ['--accept-regressions']],
    ['differ from run to run', ['--check-inputs', '--engine', 'cuda']],
  ] as const) {
    const { status, stderr } = await dyno('bench', ...routing, ...options);
    expect([status, stderr]).toEqual([2, expect.stringContaining(words)]);
  }
}, 60_000);
