import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { comparison, runInfo } from '../contract/protocol.ts';
import { bundleEntry } from './testing/bundleEntry.ts';
import { TestHost } from './testing/testHost.ts';
import { testSpec } from './testing/testSpec.ts';

// Every test starts processes; a loaded machine takes its time, and the figures that matter are measured apart.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let runner: string;
let home: string;
let host: TestHost;

beforeAll(async () => {
  runner = await bundleEntry('electron/runner/main.ts', 'runner.mjs');
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-host-'));
  host = new TestHost(home, runner);
});
afterEach(async () => {
  await host.close();
  rmSync(home, { recursive: true, force: true });
});

const folderOf = (run: string) => join(home, 'runs', run);
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function start(...specs: ReturnType<typeof testSpec>[]) {
  return host.request('runs.start', { title: 'test', specs, pace: 'max' });
}

async function finished(...specs: ReturnType<typeof testSpec>[]): Promise<readonly string[]> {
  const { job, runs } = await start(...specs);
  const ended = await host.untilOver(job);
  expect(ended.error).toBeUndefined();
  expect(ended.state).toBe('done');
  return runs;
}

describe('a run', () => {
  test('leaves a sealed bundle, and the same spec leaves the same summary', async () => {
    const [a = '', b = ''] = [...(await finished(testSpec())), ...(await finished(testSpec()))];
    const manifest = JSON.parse(readFileSync(join(folderOf(a), 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ schema: 1, status: 'done', spec: testSpec() });
    expect(Object.keys(manifest.files)).toEqual(
      expect.arrayContaining(['requests.parquet', 'samples.parquet', 'summary.json']),
    );
    expect(existsSync(join(folderOf(a), 'live.duckdb'))).toBe(false);
    expect(existsSync(join(folderOf(a), 'writer.lock'))).toBe(false);
    const summaries = [a, b].map((run) => readFileSync(join(folderOf(run), 'summary.json')));
    expect(summaries[0]?.equals(summaries[1] ?? Buffer.alloc(0))).toBe(true);
    expect(JSON.parse(String(summaries[0])).requests.arrived).toBe(300);
  });

  test('is listed, opened, queried, annotated, exported and deleted', async () => {
    const [run = ''] = await finished(testSpec());
    const { runs } = await host.request('runs.list', {});
    expect(runs.map((info) => runInfo.parse(info).run)).toEqual([run]);
    expect(runs[0]?.requests).toBe(300);

    const { sources } = await host.request('runs.sources', { run });
    expect(sources.some(({ source, metric }) => source === 'cluster' && metric === 'ttft_ms.p95')).toBe(true);
    const { series } = await host.request('runs.series', {
      run,
      series: [{ source: 'cluster', metric: 'ttft_ms.p95' }],
      width: 50,
    });
    const points = series[0]?.points ?? new Float64Array();
    expect(points.length).toBeGreaterThan(40);
    expect(points.length % 4).toBe(0);

    const cdf = await host.request('runs.cdf', { run, metric: 'ttft_ms', points: 21 });
    expect([cdf.n, cdf.values.length]).toEqual([300, 21]);
    expect([...cdf.values].sort((x, y) => x - y)).toEqual([...cdf.values]);

    const page = await host.request('runs.rows', {
      run,
      table: 'requests',
      filter: [{ column: 'request', op: '<', value: 10 }],
      order: '-request',
      limit: 3,
    });
    expect([page.rows, page.total]).toEqual([3, 10]);
    expect(page.columns.find(({ name }) => name === 'request')?.values).toEqual([9, 8, 7]);
    const decisions = await host.request('runs.decisions', { run, request: 5 });
    expect(decisions.rows).toBeGreaterThan(0);

    await host.request('runs.annotate', { run, tags: ['kept'], note: 'a note' });
    const opened = await host.request('runs.open', { run });
    expect(opened.info).toMatchObject({ tags: ['kept'], note: 'a note' });

    const csv = await host.request('runs.export', { run, format: 'csv', path: join(home, 'r.csv') });
    expect(readFileSync(csv.path, 'utf8').split('\n')).toHaveLength(302);
    const json = await host.request('runs.export', { run, format: 'json', path: join(home, 'r.json') });
    expect(JSON.parse(readFileSync(json.path, 'utf8'))).toHaveLength(300);
    const zip = await host.request('runs.export', { run, format: 'bundle', path: join(home, 'r.zip') });
    expect(zip.bytes).toBeGreaterThan(10_000);

    await host.request('runs.delete', { runs: [run] });
    expect((await host.request('runs.list', {})).runs).toEqual([]);
  });

  test('names and values from outside cannot become SQL', async () => {
    const [run = ''] = await finished(testSpec());
    const rows = (extra: object) => host.request('runs.rows', { run, table: 'requests', ...extra });
    await expect(rows({ order: 'request; DROP TABLE x' })).rejects.toThrow(
      'no column "request; DROP TABLE x"',
    );
    await expect(rows({ filter: [{ column: '1=1 --', op: '=', value: 1 }] })).rejects.toThrow('no column');
    const quoted = await rows({ filter: [{ column: 'status', op: '=', value: "x' OR '1'='1" }] });
    expect(quoted.total).toBe(0);
    await expect(host.request('runs.open', { run: '../../etc' })).rejects.toThrow('no run "../../etc"');
    await expect(host.request('runs.delete', { runs: ['..'] })).rejects.toThrow('is not a run');
    await expect(host.request('runs.cdf', { run, metric: 'status', points: 20 })).rejects.toThrow(
      'no column',
    );
  });

  test('two variants are compared, verified and reported', async () => {
    const [a = '', b = ''] = await finished(testSpec({ variant: 'baseline' }), testSpec());
    const found = await host.request('runs.compare', { baseline: a, optimized: b });
    comparison.parse(found);
    expect(found.verification.status).toBe('passed');
    expect(found.differences.map(({ path }) => path)).toContain('variant');
    expect(found.rows.map(({ metric }) => metric)).toContain('ttft_ms.p50');
    const unlike = await finished(testSpec({ seed: 1 }));
    const warned = await host.request('runs.compare', { baseline: a, optimized: unlike[0] ?? '' });
    expect(warned.warnings.join(' ')).toMatch(/Unlike seeds/);
    const report = await host.request('runs.report', {
      baseline: a,
      optimized: b,
      path: join(home, 'r.html'),
    });
    expect(readFileSync(report.path, 'utf8')).toMatch(/^<!doctype html>/i);
  });

  test('a job that is started the moment another ends is run', async () => {
    for (let i = 0; i < 4; i++) await finished(testSpec({ requests: 20, seed: i }));
  });

  test('of bad input leaves one line and no bundle', async () => {
    const trace = join(home, 'broken.jsonl');
    writeFileSync(trace, '{"timestamp": 0, "input_length": 10, "output_length": 1}\nnonsense\n');
    const { job } = await start(
      testSpec({ traffic: { kind: 'trace', path: trace, format: 'mooncake', speedup: 1 } }),
    );
    const ended = await host.untilOver(job);
    expect(ended.error?.code).toBe('bad_input');
    expect(ended.error?.message).toContain('broken.jsonl:2');
    expect(await host.request('runs.list', {})).toMatchObject({ runs: [], unreadable: [] });
  });
});

describe('the end that was not planned', () => {
  const long = () => testSpec({ requests: 20_000 });

  test('cancel takes effect within 200 ms and keeps what was simulated', async () => {
    const { job, runs } = await host.request('runs.start', {
      title: 'long',
      specs: [long(), long()],
      pace: 60,
    });
    const running = await host.untilJob(job, ({ done, pid }) => done > 5 && pid !== undefined);
    // Rows are on their way a moment longer than the progress.
    const kept = () => host.request('runs.rows', { run: runs[0] ?? '', table: 'requests' });
    await expect.poll(async () => (await kept()).total, { timeout: 10_000 }).toBeGreaterThan(5);
    const begin = performance.now();
    await host.request('jobs.cancel', { job });
    const pid = running.pid ?? Number.NaN;
    await expect.poll(() => isAlive(pid), { interval: 2, timeout: 10_000 }).toBe(false);
    const took = performance.now() - begin;
    const ended = await host.untilOver(job);
    expect(ended.state).toBe('cancelled');
    expect(ended.runs.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    const { summary } = await host.request('runs.open', { run: runs[0] ?? '' });
    expect(summary).toMatchObject({ requests: { arrived: expect.any(Number) } });
    const { total } = await host.request('runs.rows', { run: runs[0] ?? '', table: 'requests' });
    expect(total).toBeGreaterThan(5);
    expect(took).toBeLessThan(200 * slack);
  });

  test('a runner killed with SIGKILL: interrupted, data kept, host alive and able to run again', async () => {
    const { job, runs } = await host.request('runs.start', { title: 'long', specs: [long()], pace: 300 });
    const running = await host.untilJob(job, ({ done, pid }) => done > 200 && pid !== undefined);
    process.kill(running.pid ?? 0, 'SIGKILL');
    const ended = await host.untilOver(job);
    expect(ended).toMatchObject({ state: 'failed', runs: [{ status: 'interrupted' }] });
    expect(ended.error?.message).toContain('SIGKILL');
    const run = runs[0] ?? '';
    const { info, summary } = await host.request('runs.open', { run });
    expect(info.status).toBe('interrupted');
    expect(summary).toMatchObject({ rebuilt: true });
    const { total } = await host.request('runs.rows', { run, table: 'requests' });
    expect(total).toBeGreaterThan(100);
    expect(existsSync(join(folderOf(run), 'requests.parquet'))).toBe(true);
    await finished(testSpec());
  });
});

describe('live frames', () => {
  test('past samples first, at most two frames without an acknowledgement, nothing lost', async () => {
    const { job, runs } = await start(testSpec({ requests: 3000 }));
    const run = runs[0] ?? '';
    await host.untilJob(job, ({ done }) => done > 0);
    await host.request('live.watch', { run });
    await host.untilOver(job);
    const frames = () => host.events.filter((event) => event.event === 'frame');
    // The run is over: all of its frames could have left, and two did.
    await expect.poll(() => frames().length, { timeout: 10_000 }).toBe(2);
    const { sources } = await host.request('runs.sources', { run });
    expect(sources.length).toBeGreaterThan(0);
    const keys = new Map<number, string>();
    const times = new Map<string, number[]>();
    let acknowledged = 0;
    while (times.size < sources.length) {
      await expect.poll(() => frames().length, { timeout: 10_000 }).toBeGreaterThan(acknowledged);
      expect(frames().length - acknowledged).toBeLessThanOrEqual(2);
      for (const frame of frames().slice(acknowledged)) {
        acknowledged++;
        for (const { key, source, metric } of frame.keys) keys.set(key, `${source} ${metric}`);
        frame.key.forEach((key, i) => {
          const name = keys.get(key) ?? 'unknown';
          times.set(name, [...(times.get(name) ?? []), frame.time_ms[i] ?? 0]);
        });
        await host.request('live.ack', { frame: frame.frame });
      }
    }
    expect(times.has('unknown')).toBe(false);
    expect([...times.keys()].sort()).toEqual(
      sources.map(({ source, metric }) => `${source} ${metric}`).sort(),
    );
    for (const list of times.values()) expect(list).toEqual([...list].sort((a, b) => a - b));
  });

  test('a run that waits for its turn is followed from its start, one that is over is replayed', async () => {
    const { job, runs } = await start(testSpec({ requests: 50 }), testSpec({ requests: 400 }));
    const [first = '', second = ''] = runs;
    await host.request('live.watch', { run: second });
    const frame = await host.until((event) => event.event === 'frame');
    expect(frame).toMatchObject({ run: second });
    await host.request('live.watch', { run: first });
    expect(await host.until((event) => event.event === 'frame' && event.run === first)).toMatchObject({
      run: first,
    });
    await host.untilOver(job);
  });

  test('job events come at most ten times a second, and the host stays responsive at full speed', async () => {
    // Loading DuckDB's library takes its time, once.
    await finished(testSpec());
    host.events.length = 0;
    const { job } = await start(testSpec({ requests: 6000 }));
    const begin = performance.now();
    // Processor time of this thread between two turns of the loop: what others do on the machine does not count.
    let worst = 0;
    let last = threadMs();
    const timer = setInterval(() => {
      const now = threadMs();
      worst = Math.max(worst, now - last);
      last = now;
    }, 1);
    await host.untilOver(job);
    clearInterval(timer);
    const seconds = (performance.now() - begin) / 1000;
    const events = host.events.filter((event) => event.event === 'job').length;
    // Changes of state go out at once: queued, running, started, ended.
    expect(events).toBeLessThan(10 * seconds + 8);
    // `worst` counts this thread's own work; other work on the machine adds cold caches, hence twice the budget of 20 ms.
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(20 * 2);
  });
});

describe('foreign and broken folders', () => {
  test('are listed with the reason and never stop the rest', async () => {
    const [run = ''] = await finished(testSpec());
    const runs = join(home, 'runs');
    mkdirSync(join(runs, 'foreign'));
    mkdirSync(join(runs, 'garbage'));
    writeFileSync(join(runs, 'garbage', 'manifest.json'), '{"schema": 1, "run":');
    mkdirSync(join(runs, 'newer'));
    writeFileSync(join(runs, 'newer', 'manifest.json'), '{"schema": 99}');
    writeFileSync(join(runs, 'a-file'), 'x');
    const listed = await host.request('runs.list', {});
    expect(listed.runs.map((info) => info.run)).toEqual([run]);
    expect(
      Object.fromEntries(listed.unreadable.map(({ folder, reason }) => [folder.split('/').pop(), reason])),
    ).toEqual({
      foreign: 'no manifest.json: not a run bundle',
      garbage: 'manifest.json is not JSON',
      newer: 'manifest.json has schema 99; this Dyno knows up to 1: update Dyno',
    });
    await expect(host.request('runs.open', { run: 'garbage' })).rejects.toThrow('manifest.json is not JSON');
    writeFileSync(join(folderOf(run), 'requests.parquet'), 'not parquet at all');
    await expect(host.request('runs.rows', { run, table: 'requests' })).rejects.toThrow('requests.parquet');
  });

  test.skipIf(process.platform !== 'linux')('a folder that cannot be written fails in one line', async () => {
    // Not even root may make a folder there.
    const other = new TestHost('/sys/kernel', runner);
    const { job } = await other.request('runs.start', { title: 'x', specs: [testSpec()], pace: 'max' });
    const ended = await other.untilOver(job);
    expect(ended.state).toBe('failed');
    expect(ended.error?.message).toMatch(/^\/sys\/kernel\/runs\/[^ ]+: no permission/);
    await other.close();
  });

  test('a file where the runs folder should be fails in one line', async () => {
    writeFileSync(join(home, 'runs'), '');
    const { job } = await start(testSpec());
    const ended = await host.untilOver(job);
    expect(ended.state).toBe('failed');
    expect(ended.error?.message).toContain(join(home, 'runs'));
  });
});

/** Nanoseconds on a processor, first field of Linux's schedstat; the clock elsewhere. */
function threadMs(): number {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** Other work shares the cores of a test machine; the plain figures are in the benchmark. */
const slack = 5;
