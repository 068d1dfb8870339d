// Kernel runs that record and count their kernels by CUPTI, on the fake drivers: from the command line to the bundle's tables.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FakeDriver, fakeDriver } from '../../native/fakeDrivers.ts';
import { numbers, parquetSource, query, texts } from '../host/store/duckdb.ts';
import { bundleEntry } from '../host/testing/bundleEntry.ts';

const native = join(import.meta.dirname, '../../native');
const isBuilt =
  existsSync(join(native, 'build/dyno.node')) &&
  existsSync(join(native, 'build/fake/libfake_cupti.so')) &&
  existsSync(join(native, 'build/kernels/copies.fatbin'));

let cli: string;
let home: string;
const drivers: FakeDriver[] = [];

beforeAll(async () => {
  if (!isBuilt) return;
  cli = await bundleEntry('electron/cli/main.ts', 'cli.mjs');
  await bundleEntry('electron/runner/main.ts', 'runner.mjs');
  if (!existsSync(join(dirname(cli), 'native'))) symlinkSync(native, join(dirname(cli), 'native'));
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-record-'));
});
afterEach(() => {
  for (const driver of drivers.splice(0)) driver.remove();
  rmSync(home, { recursive: true, force: true });
});

async function bench(args: readonly string[], cupti: readonly string[] = []) {
  const cuda = fakeDriver('fake_cuda', ['devices 1']);
  const counters = fakeDriver('fake_cupti', cupti);
  drivers.push(cuda, counters);
  const environment = {
    ...process.env,
    DYNO_HOME: home,
    NO_COLOR: '1',
    DYNO_CUDA: cuda.path,
    DYNO_CUPTI: counters.path,
    DYNO_NVML: '/nowhere/libnvidia-ml.so.1',
  };
  const child = spawn(process.execPath, [cli, 'bench', ...args, '--json'], { env: environment });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (bytes) => {
    stdout += bytes;
  });
  child.stderr.on('data', (bytes) => {
    stderr += bytes;
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

const small = ['native:copy', '--set', 'mebibytes=1', '--set', 'warm_up=1', '--iterations', '6'];

async function rowsOf(table: string, where: string) {
  const [run = ''] = readdirSync(join(home, 'runs')).filter((name) => !name.startsWith('.'));
  const path = join(home, 'runs', run, `${table}.parquet`);
  const { instance, from } = await parquetSource(path);
  return query(
    instance,
    `SELECT name, variant, iteration::DOUBLE AS iteration, duration_ns::DOUBLE AS ns FROM ${from} WHERE ${where} ORDER BY start_ns`,
  );
}

describe.skipIf(!isBuilt)('recording kernels, on the fake drivers (skipped without the built addon)', () => {
  test('every kernel of every measured iteration is a row with its call; the cost is measured and said', async () => {
    const { status, stdout, stderr } = await bench([...small, '--kernels']);
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    const { recording, counters } = JSON.parse(stdout);
    expect(recording).toMatchObject({ source: 'cupti', dropped: 0, refused_buffers: 0, clock: 'own' });
    expect(Object.keys(recording.cost)).toEqual(['baseline', 'optimized']);
    expect(recording.cost.baseline.ci95).toHaveLength(2);
    expect(counters).toBeUndefined();

    const kernels = await rowsOf('kernels', "source = 'cupti'");
    // A B A B …, six rounds; the warm-up is not among them.
    const names = Array.from({ length: 6 }, () => ['copyScalars', 'copyVectors']).flat();
    expect(texts(kernels, 'name')).toEqual(names);
    expect(Array.from(numbers(kernels, 'iteration'))).toEqual(names.map((_, row) => Math.floor(row / 2)));
    expect(Math.min(...numbers(kernels, 'ns'))).toBeGreaterThan(0);
    const calls = await rowsOf('spans', "source = 'cupti' AND kind = 'driver' AND name = 'cuLaunchKernel'");
    expect(texts(calls, 'variant')).toEqual(texts(kernels, 'variant'));
  });

  test('one kernel after another: CUPTI is asked for its other kind of record, and the rows are the same', async () => {
    expect((await bench([...small, '--kernels', 'serial'])).status).toBe(0);
    const names = Array.from({ length: 6 }, () => ['copyScalars', 'copyVectors']).flat();
    expect(texts(await rowsOf('kernels', "source = 'cupti'"), 'name')).toEqual(names);
    // Only the kind that was asked for is enabled: refusing it refuses the run.
    const refused = await bench([...small, '--kernels', 'sideways']);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('overlap, serial')]);
  });

  test('counters of each launch by name, and of an iteration as one range', async () => {
    const { status, stdout } = await bench([...small, '--counters']);
    expect(status).toBe(0);
    const { counters, recording } = JSON.parse(stdout);
    expect(recording).toBeUndefined();
    expect(counters).toMatchObject({ chip: 'GH100', mode: 'kernel', refused: [], dropped: 0 });
    expect(
      counters.kernels.map(
        ({
          variant,
          name,
          launches,
          metrics,
        }: {
          readonly variant: string;
          readonly name: string;
          readonly launches: number;
          readonly metrics: Readonly<Record<string, number>>;
        }) => [variant, name, launches, metrics['dram__bytes_read.sum']],
      ),
    ).toEqual([
      ['baseline', 'copyScalars', 1, 1000],
      ['optimized', 'copyVectors', 1, 1000],
    ]);
    const range = JSON.parse((await bench([...small, '--counters', 'range'])).stdout);
    expect(range.counters.kernels.map(({ name }: { name: string }) => name)).toEqual([
      'one iteration of baseline',
      'one iteration of optimized',
    ]);
  });

  test('a refusal says how to allow it, and the times are kept', async () => {
    const refused = await bench([...small, '--counters'], ['fail cuptiRangeProfilerEnable 35']);
    expect(refused.status).toBe(3);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      variants: { baseline: { iteration_ms: { n: 6 } } },
      counters_refused: { hint: expect.stringContaining('NVreg_RestrictProfilingToAdminUsers=0') },
    });
    const busy = await bench([...small, '--kernels'], ['fail cuptiActivityEnable 39']);
    expect([busy.status, busy.stderr]).toEqual([3, expect.stringContaining('other profilers')]);
  });
});
