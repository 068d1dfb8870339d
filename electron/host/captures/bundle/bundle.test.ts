import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findKernelTarget } from '../../../../workloads/catalog/kernelTargets.ts';
import type { TableName } from '../../../../workloads/run/tables.ts';
import { sealByHand, writeTables } from '../../testing/handMadeBundle.ts';
import { importReport } from '../importReport.ts';
import { captureOfRun } from '../intervalOf.ts';
import { kernelRunRoofline } from '../kernelRunRoofline.ts';
import { deviceActivity } from '../nsys/activity.ts';
import { kernelsByRange, summariseCopies, summariseNames } from '../nsys/summaries.ts';
import { exportRunTrace } from '../trace/exportRunTrace.ts';

// A run of kernels, written by hand: two rounds, each a copy and two kernels.
//
//   range    baseline |1000 ................ 5000|      |11000 .............. 15000|
//   calls             launch 1100 launch 1200             launch 11100 launch 11200
//   device   copy |1300..1500|  a |2000..3000| b |3500..4500|      … the same 10 µs later
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-kernel-bundle-'));
  const spec = findKernelTarget('native:copy')?.spec({
    variants: ['baseline'],
    parameters: { warm_up: 0 },
    seed: 0,
    iterations: 2,
    device: 0,
  });
  const about = {
    run: 'r',
    group: 'g',
    title: 'two rounds',
    status: 'done',
    started: '2026-11-21T10:00:00Z',
  };
  const hardware = { cpu: 'x', cores: 1, memory_bytes: 1, gpus: [] };
  const manifest = { schema: 1, ...about, spec, versions: {}, hardware, tags: [], note: '', files: {} };
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const work = { flops: 0, hostBytes: 0, deviceBytes: 2000, launches: 1, items: 1, itemName: 'bytes' };
  const metrics = {
    'gpu__time_duration.sum': 1000,
    'dram__bytes_read.sum': 1010,
    'dram__bytes_write.sum': 1000,
  };
  const recording = { dropped: 1, refused_buffers: 2, cost: { baseline: { ratio: 1.02 } } };
  const summary = {
    kind: 'kernel',
    device: { index: 0, name: 'NVIDIA H200' },
    variants: { baseline: { work, iteration_ms: { n: 2, median: 0.001 } } },
    recording,
    counters: { passes: 4, kernels: [{ variant: 'baseline', name: 'a', launches: 1, metrics }] },
  };
  writeFileSync(join(folder, 'summary.json'), JSON.stringify(summary));
  const write = (table: TableName, columns: string, rows: readonly string[]) =>
    writeTables(folder, [{ table, columns, rows: rows.join(', ') }]);
  const rounds = [0, 1].map((round) => ({ round, at: round * 10_000 }));
  await write(
    'kernels',
    'source, kind, iteration, variant, name, start_ns, duration_ns, device, stream, correlation, threads, block_threads, registers, shared_bytes, bytes',
    rounds.flatMap(({ round, at }) => [
      `('host', 'iteration', ${round}, 'baseline', 'baseline', ${at + 900}, 4200, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
      `('cupti', 'memcpy', ${round}, 'baseline', 'host to device', ${at + 1300}, 200, 0, 7, ${at + 9}, NULL, NULL, NULL, NULL, 4096)`,
      `('cupti', 'kernel', ${round}, 'baseline', 'a', ${at + 2000}, 1000, 0, 7, ${at + 1}, 1024, 256, 32, 0, NULL)`,
      `('cupti', 'kernel', ${round}, 'baseline', 'b', ${at + 3500}, 1000, 0, 7, ${at + 2}, 1024, 256, 32, 0, NULL)`,
    ]),
  );
  await write(
    'spans',
    'source, kind, name, start_ns, duration_ns, thread, correlation',
    rounds.flatMap(({ at }) => [
      `('host', 'range', 'measure', ${at + 100}, 9000, NULL, NULL)`,
      `('cupti', 'range', 'baseline', ${at + 1000}, 4000, 77, NULL)`,
      `('cupti', 'driver', 'cuLaunchKernel', ${at + 1100}, 50, 77, ${at + 1})`,
      `('cupti', 'driver', 'cuLaunchKernel', ${at + 1200}, 50, 77, ${at + 2})`,
    ]),
  );
  await sealByHand(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('a run that recorded its kernels reads like a capture: kernels with their launch and range, copies, gaps told', async () => {
  const imported = await importReport(folder, { cacheFolder: folder });
  if (imported.kind !== 'nsys') throw new Error('no timeline');
  const { report } = imported;
  expect(report.gpus).toEqual([{ id: 0, name: 'NVIDIA H200' }]);
  const kernels = summariseNames(report.kernels, report.names);
  expect(kernels.map(({ name, count, totalNs }) => [name, count, totalNs])).toEqual([
    ['a', 2, 2000],
    ['b', 2, 2000],
  ]);
  expect(
    kernelsByRange(report).map(({ range, kernel, count, meanQueueNs }) => [
      range,
      kernel,
      count,
      meanQueueNs,
    ]),
  ).toEqual([
    ['baseline', 'a', 2, 850],
    ['baseline', 'b', 2, 2250],
  ]);
  expect(summariseCopies(report)).toMatchObject([{ count: 2, bytes: 8192 }]);
  expect(deviceActivity(report)[0]).toMatchObject({ device: 0, startNs: 2000, endNs: 14_500, busyNs: 4000 });
  expect(report.missing.join()).toContain('1 records and 2 buffers had no room');
  expect(report.diagnostics.join()).toContain('baseline ×1.020');
});

it('becomes a Chrome trace with an arrow from each launch to its kernel', async () => {
  const path = join(folder, 'run.trace.json');
  await exportRunTrace(folder, path);
  const { traceEvents } = JSON.parse(readFileSync(path, 'utf8')) as {
    readonly traceEvents: readonly { readonly name?: string; readonly ph: string; readonly cat?: string }[];
  };
  const named = (name: string, ph: string) =>
    traceEvents.filter((event) => event.name === name && event.ph === ph).length;
  expect([named('a', 'X'), named('cuLaunchKernel', 'X'), named('launch', 's')]).toEqual([2, 4, 4]);
});

it('a part of it is the rounds that lie in it; between them there is nothing to capture', async () => {
  expect((await captureOfRun(folder, 1000, 2000)).interval).toEqual({ kind: 'rounds', from: 0, to: 0 });
  expect((await captureOfRun(folder, 0, 1e9)).interval).toEqual({ kind: 'rounds', from: 0, to: 1 });
  await expect(captureOfRun(folder, 6000, 7000)).rejects.toThrow('no measured iteration');
  await expect(captureOfRun(folder, 2000, 1000)).rejects.toThrow('the end comes before the start');
});

it('its counted kernel lies beside its formula under the roof of its card', async () => {
  const { card, points } = await kernelRunRoofline(folder);
  expect(card).toBe('NVIDIA H200');
  const [analytic, measured] = points;
  expect([analytic?.point.source, analytic?.point.bytes.hbm]).toEqual(['analytic', 2000]);
  expect([measured?.point.source, measured?.point.bytes.hbm, measured?.point.timeNs]).toEqual([
    'measured',
    2010,
    1000,
  ]);
  expect(measured?.assessment?.verdict).toContain('HBM');
});
