import { type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bundleEntry } from '../host/testing/bundleEntry.ts';
import { TestHost } from '../host/testing/testHost.ts';

const lab = 'labs/dynamic_router:dynamic_router';
const data = process.env['DYNO_DATA'] ?? '';
const mooncake = join(data, 'traces/mooncake-conversation.jsonl');
let cli: string;
let runner: string;
let home: string;

beforeAll(async () => {
  cli = await bundleEntry('electron/cli/main.ts', 'cli.mjs');
  runner = await bundleEntry('electron/runner/main.ts', 'runner.mjs');
}, 120_000);
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-cli-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const environment = () => ({ ...process.env, DYNO_HOME: home, NO_COLOR: '1' });

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], options: SpawnOptions = {}) {
  const child = spawn(process.execPath, [cli, ...args], { env: environment(), ...options });
  const ended = new Promise<Result>((resolve) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (bytes) => {
      stdout += bytes;
    });
    child.stderr?.on('data', (bytes) => {
      stderr += bytes;
    });
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
  return { child, ended };
}
const dyno = (...args: string[]): Promise<Result> => start(args).ended;
const runs = (): string[] => {
  const folder = join(home, 'runs');
  // The index of runs lies beside them.
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => !name.startsWith('.'))
        .sort()
    : [];
};
const small = ['--set', 'requests=300'];

describe('bench', () => {
  test('--json prints one document with every request accounted for', async () => {
    const { status, stdout, stderr } = await dyno('bench', lab, '--engine', 'sim', ...small, '--json');
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({
      target: lab,
      engine: 'sim',
      traffic: { requests: 300 },
      verification: { status: 'passed', method: expect.any(String) },
      wall_s: expect.any(Number),
    });
    for (const variant of ['baseline', 'optimized']) {
      const { metrics, requests, kv, per_instance: instances } = document.variants[variant];
      for (const id of ['ttft_ms', 'tpot_ms', 'itl_ms', 'e2e_ms', 'queue_ms']) {
        expect(metrics[id]).toMatchObject({
          mean: expect.any(Number),
          p50: expect.any(Number),
          p90: expect.any(Number),
          p95: expect.any(Number),
          p99: expect.any(Number),
        });
      }
      expect(requests.admitted + requests.rejected).toBe(requests.arrived);
      expect(requests.arrived).toBe(300);
      expect(kv).toMatchObject({
        block_refs: expect.any(Number),
        hits: expect.any(Number),
        hit_rate: expect.any(Number),
      });
      expect(instances.length).toBeGreaterThan(1);
    }
    for (const row of document.comparison) {
      expect(row).toMatchObject({
        metric: expect.any(String),
        ratio: expect.any(Number),
        significant: expect.any(Boolean),
      });
      expect(row.ci95).toHaveLength(2);
    }
    expect(runs()).toHaveLength(2);
  });

  test.skipIf(!existsSync(mooncake))(
    'all 12,031 requests of the Mooncake conversation trace are accounted for',
    async () => {
      const { status, stdout } = await dyno('bench', lab, '--trace', mooncake, '--json', '--no-keep');
      expect(status).toBe(0);
      const { traffic, variants } = JSON.parse(stdout);
      expect(traffic.requests).toBe(12031);
      for (const { requests } of [variants.baseline, variants.optimized])
        expect([requests.arrived, requests.admitted + requests.rejected]).toEqual([12031, 12031]);
      expect(runs()).toEqual([]);
    },
    60_000,
  );

  test('for people: a table with verdicts, the folders on standard error, no colour', async () => {
    const { status, stdout, stderr } = await dyno(
      'bench',
      'dynamic_router',
      ...small,
      '--report',
      join(home, 'r.html'),
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/metric +baseline +optimized +ratio +95 % CI +verdict/);
    expect(stdout).toContain('TTFT p50');
    expect(stdout).not.toContain('\x1b[');
    expect(stderr).toContain(join(home, 'runs'));
    expect(readFileSync(join(home, 'r.html'), 'utf8')).toMatch(/^<!doctype html>/i);
  });
});

describe('run', () => {
  test('a saved spec, or the one in a manifest, gives the same summary byte for byte', async () => {
    const first = await dyno('run', lab, ...small, '--seed', '7', '--variant', 'baseline');
    expect(first.status).toBe(0);
    const [a = ''] = runs();
    const again = await dyno('run', '--spec', join(home, 'runs', a, 'manifest.json'));
    expect(again.status).toBe(0);
    const printed = await dyno('run', lab, ...small, '--seed', '7', '--variant', 'baseline', '--print-spec');
    writeFileSync(join(home, 'spec.json'), printed.stdout);
    expect(
      (await dyno('run', '--spec', join(home, 'spec.json'), '--out', join(home, 'elsewhere'))).status,
    ).toBe(0);
    const [elsewhere = ''] = readdirSync(join(home, 'elsewhere'));
    const folders = [...runs().map((run) => join(home, 'runs', run)), join(home, 'elsewhere', elsewhere)];
    const summaries = folders.map((folder) => readFileSync(join(folder, 'summary.json'), 'utf8'));
    expect(summaries).toHaveLength(3);
    expect(new Set(summaries).size).toBe(1);
  });

  test('Ctrl-C stops cleanly and keeps what was measured', async () => {
    const { child, ended } = start(['run', lab, '--set', 'requests=20000', '--pace', '100']);
    await rowsArrive();
    child.kill('SIGINT');
    const { status, stderr } = await ended;
    expect(status).toBe(130);
    expect(stderr).toContain('kept:');
    const [run = ''] = runs();
    expect(JSON.parse(readFileSync(join(home, 'runs', run, 'manifest.json'), 'utf8')).status).toBe(
      'cancelled',
    );
    expect(existsSync(join(home, 'runs', run, 'requests.parquet'))).toBe(true);
  });

  test('a host killed with SIGKILL: its runner ends, and the next host recovers the run', async () => {
    const { child, ended } = start(['run', lab, '--set', 'requests=20000', '--pace', '100']);
    await rowsArrive();
    const pids = runnersOf(home);
    child.kill('SIGKILL');
    await ended;
    expect(pids.length).toBeGreaterThan(0);
    for (let i = 0; i < 400 && runnersOf(home).length > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(runnersOf(home)).toEqual([]);
    const host = new TestHost(home, runner);
    const [run = ''] = runs();
    expect(await host.host.recover()).toEqual([{ run, outcome: 'recovered' }]);
    const { info, summary } = await host.request('runs.open', { run });
    expect(info.status).toBe('interrupted');
    expect(summary).toMatchObject({ rebuilt: true });
    const { total } = await host.request('runs.rows', { run, table: 'requests' });
    expect(total).toBeGreaterThan(10);
    expect(await host.host.recover()).toEqual([]);
    await host.close();
  });

  test('another host leaves a run alone while its own is alive', async () => {
    const { child, ended } = start(['run', lab, '--set', 'requests=20000', '--pace', '100']);
    await rowsArrive();
    const host = new TestHost(home, runner);
    expect(await host.host.recover()).toEqual([]);
    const { runs: listed } = await host.request('runs.list', {});
    expect(listed[0]?.status).toBe('running');
    await expect(host.request('runs.delete', { runs: [listed[0]?.run ?? ''] })).rejects.toThrow(
      'another Dyno',
    );
    await host.close();
    child.kill('SIGINT');
    await ended;
  });

  test.skipIf(process.platform !== 'linux')(
    'a full disk fails the run with one clear line and spares the others',
    async () => {
      expect((await dyno('run', lab, ...small)).status).toBe(0);
      const before = runs();
      // No file may grow beyond 1 MiB: what a full disk does to a database.
      const limited = spawnSync(
        'bash',
        [
          '-c',
          `ulimit -f 1024; trap '' XFSZ; exec "$0" "$@"`,
          process.execPath,
          cli,
          'run',
          lab,
          '--set',
          'requests=6000',
        ],
        { env: environment(), encoding: 'utf8' },
      );
      expect(limited.status).toBe(1);
      expect(limited.stderr).toContain('dyno: disk full:');
      const listed = await dyno('runs', '--json');
      const { runs: all, unreadable } = JSON.parse(listed.stdout);
      expect(unreadable).toEqual([]);
      expect(all.find(({ run }: { run: string }) => run === before[0]).status).toBe('done');
      expect(all).toHaveLength(2);
    },
  );
});

/** Runners whose spec lies in this home. */
function runnersOf(folder: string): string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.includes('runner.mjs') && line.includes(folder));
}

/** Waits until a commit with rows lies in the log of the run's database. */
async function rowsArrive(): Promise<void> {
  let first: number | undefined;
  for (let i = 0; i < 1500; i++) {
    const [run] = runs();
    const log = run === undefined ? undefined : join(home, 'runs', run, 'live.duckdb.wal');
    const bytes = log === undefined ? undefined : statSync(log, { throwIfNoEntry: false })?.size;
    // The tables come with the first bytes, rows with later ones.
    first ??= bytes;
    if (bytes !== undefined && bytes > (first ?? bytes) && runnersOf(home).length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('no rows came');
}

describe('bad input is one clear line and exit status 2', () => {
  const cases: readonly (readonly [what: string, args: readonly string[], line: RegExp])[] = [
    [
      'unknown target',
      ['bench', 'dynamic_routr'],
      /no target "dynamic_routr"; did you mean "dynamic_router"/,
    ],
    ['unknown variant', ['run', lab, '--variant', 'x'], /has no variant "x", expected one of baseline/],
    ['unknown parameter', ['run', lab, '--set', 'reqests=3'], /did you mean "requests"/],
    [
      'parameter out of range',
      ['run', lab, '--set', 'requests=1e12'],
      /expected a whole number, 10 \.\. 1000000 requests/,
    ],
    [
      'parameter of the wrong kind',
      ['run', lab, '--set', 'requests=many'],
      /"many", expected a whole number/,
    ],
    ['seed that is no number', ['run', lab, '--seed', 'abc'], /'abc' is invalid\. Expected a whole number/],
    ['negative iterations', ['run', lab, '--iterations', '-1'], /'-1' is invalid/],
    ['unknown option', ['run', lab, '--bogus'], /unknown option '--bogus'/],
    ['unknown command', ['rnu'], /unknown command 'rnu'/],
    ['unknown SLO', ['run', lab, '--slo', 'foo=3'], /"foo=3", expected ttft=MS/],
    [
      'missing trace',
      ['run', lab, '--trace', '/nowhere/t.jsonl'],
      /\/nowhere\/t\.jsonl: no such file, expected a trace of requests/,
    ],
    ['folder for a trace', ['run', lab, '--trace', '.'], /\.: it is a folder, expected/],
    ['unknown run', ['compare', 'a', 'b'], /no run "a"/],
    [
      'a part that ends before it begins',
      ['capture', 'open', 'x.sqlite', '--from', '5', '--to', '2'],
      /--to: 2 s, expected more than --from 5 s/,
    ],
    ['roofline of a target that was never run', ['roofline', lab], /no capture and no run of it yet; dyno/],
    ['roofline of an unknown target', ['roofline', 'x:y'], /no target "x:y"/],
    ['limit without trace', ['run', lab, '--limit', '5'], /--limit needs --trace/],
    ['missing spec', ['run', '--spec', '/nowhere.json'], /\/nowhere\.json: no such file/],
    [
      'folder that is not there',
      ['trace', 'generate', '-o', '/nowhere/t.jsonl'],
      /\/nowhere\/t\.jsonl: no such file/,
    ],
  ];
  test.each(cases)('%s', async (_what, args, line) => {
    const { status, stdout, stderr } = await dyno(...args);
    expect(stderr).toMatch(line);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect([status, stdout]).toEqual([2, '']);
  });

  test('empty, foreign and broken traces, with file and line', async () => {
    const file = (name: string, text: string) => {
      writeFileSync(join(home, name), text);
      return join(home, name);
    };
    const good = '{"timestamp": 0, "input_length": 10, "output_length": 1}\n';
    const traces: readonly (readonly [string, RegExp])[] = [
      [file('empty', ''), /empty: the file is empty/],
      [file('binary', '\x00\x01\x02'), /binary:1: .*expected a trace of requests/],
      [file('line7.jsonl', `${good.repeat(6)}{"timestamp": 3, broken\n`), /line7\.jsonl:7: /],
    ];
    for (const [path, line] of traces) {
      const { status, stderr } = await dyno('run', lab, '--trace', path);
      expect(stderr).toMatch(line);
      // One line of error; what the file was taken for may stand before it.
      expect(stderr.split('\n').filter((said) => said.startsWith('dyno: '))).toHaveLength(1);
      expect(status).toBe(2);
    }
    expect(runs()).toEqual([]);
  });
});

describe('the rest', () => {
  test('list, runs, doctor and trace inspect print one JSON document each', async () => {
    const trace = join(home, 't.jsonl');
    expect((await dyno('trace', 'generate', '--set', 'requests=200', '-o', trace)).status).toBe(0);
    for (const args of [['list'], ['list', lab], ['runs'], ['doctor'], ['trace', 'inspect', trace]]) {
      const { status, stdout } = await dyno(...args, '--json');
      expect([args, status]).toEqual([args, 0]);
      expect(typeof JSON.parse(stdout)).toBe('object');
    }
  }, 60_000);

  test('a trace goes to the other format and back', async () => {
    const [a, b, c] = ['a.jsonl', 'b.csv', 'c.jsonl'].map((name) => join(home, name));
    await dyno('trace', 'generate', '--kind', 'open', '--set', 'duration_s=30', '-o', a ?? '');
    await dyno('trace', 'convert', a ?? '', '--to', 'azure', '-o', b ?? '');
    const { status, stderr } = await dyno('trace', 'convert', b ?? '', '--to', 'mooncake', '-o', c ?? '');
    expect([status, stderr]).toEqual([0, expect.stringContaining('mooncake')]);
    const lines = (path: string | undefined) =>
      readFileSync(path ?? '', 'utf8')
        .trim()
        .split('\n').length;
    expect(lines(c)).toBe(lines(a));
  });

  test('a reader that leaves early is no error', () => {
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', `set -o pipefail; "$0" "$1" list ${lab} | head -1 >/dev/null`, process.execPath, cli],
      { env: environment(), encoding: 'utf8' },
    );
    expect([status, stderr]).toEqual([0, '']);
  });

  test('a runs folder with strangers in it is listed all the same', async () => {
    mkdirSync(join(home, 'runs', 'stranger'), { recursive: true });
    const { status, stdout, stderr } = await dyno('runs');
    expect([status, stdout]).toEqual([0, expect.stringContaining('no runs yet')]);
    expect(stderr).toContain('stranger: no manifest.json');
  });
});
