// What the window asks of a timeline: tables of a part, gaps, what belongs to an event, the next event of a name.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { importChromeTrace } from '../chrome/chromeImport.ts';
import { findEvent } from './findEvent.ts';
import { linkedEvents } from './linkedEvents.ts';
import { tablesWithin } from './tablesWithin.ts';
import { timelineRows } from './timelineRows.ts';

const folder = mkdtempSync(join(tmpdir(), 'dyno-explore-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const event = (cat: string, name: string, ts: number, dur: number, args: object = {}) => ({
  ph: 'X',
  cat,
  name,
  pid: cat === 'kernel' ? 0 : 10,
  tid: cat === 'kernel' ? 7 : 11,
  ts,
  dur,
  args,
});
const kernel = (name: string, ts: number, dur: number, correlation: number) =>
  event('kernel', name, ts, dur, { device: 0, stream: 7, correlation });

/**
 * Times in µs:
 *
 *     range      |-- attention 0..40 --|   |-- mlp 50..90 --|
 *     launches      1 (10)  2 (20)            3 (60)
 *     kernels          |gemm 15..35| |softmax 35..45|      |gemm 160..200|      gap 45..160, the next launched at 60: host
 */
async function recording() {
  const path = join(folder, 'trace.json');
  const launch = (ts: number, correlation: number) =>
    event('cuda_runtime', 'cudaLaunchKernel', ts, 4, { correlation });
  writeFileSync(
    path,
    JSON.stringify({
      traceEvents: [
        { ph: 'M', name: 'process_name', pid: 10, args: { name: 'python' } },
        event('cpu_op', 'attention', 0, 40),
        event('cpu_op', 'mlp', 50, 40),
        launch(10, 1),
        launch(20, 2),
        launch(60, 3),
        kernel('gemm', 15, 20, 1),
        kernel('softmax', 35, 10, 2),
        kernel('gemm', 160, 40, 3),
      ],
    }),
  );
  const report = await importChromeTrace(path);
  const lanes = timelineRows(report);
  const laneOf = (kind: string) => lanes.findIndex((lane) => lane.kind === kind);
  /** Start and end in ns of a lane's events. */
  const times = (kind: string, index: number): readonly [number, number] => {
    const lane = lanes[laneOf(kind)];
    return [lane?.startNs[index] ?? Number.NaN, lane?.endNs[index] ?? Number.NaN];
  };
  return { report, lanes, laneOf, times };
}
const us = 1000;

it('tables hold the events that overlap a part, each with its whole length', async () => {
  const { report, times } = await recording();
  const [start] = times('range', 0);
  const all = tablesWithin(report, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  expect(all.kernels.map(({ name, count, totalNs }) => [name, count, totalNs])).toEqual([
    ['gemm', 2, 60 * us],
    ['softmax', 1, 10 * us],
  ]);
  const part = tablesWithin(report, start + 30 * us, start + 44 * us);
  expect(part.kernels.map(({ name, count, totalNs }) => [name, count, totalNs])).toEqual([
    ['gemm', 1, 20 * us],
    ['softmax', 1, 10 * us],
  ]);
  expect(part.ranges.map(({ name }) => name)).toEqual(['attention']);
  expect(part.apiCalls).toEqual([]);
});

it('a gap is listed wherever a part of it is shown, with its cause and the kernel that ended it', async () => {
  const { report, times } = await recording();
  const [start] = times('range', 0);
  const gap = {
    device: 0,
    startNs: start + 45 * us,
    endNs: start + 160 * us,
    cause: 'host',
    nextKernel: 'gemm',
  };
  expect(tablesWithin(report, start, start + 200 * us).gaps).toEqual([gap]);
  // Zoomed into the gap no kernel is left, and the gap still is.
  expect(tablesWithin(report, start + 100 * us, start + 110 * us)).toMatchObject({
    kernels: [],
    gaps: [gap],
  });
  expect(tablesWithin(report, start, start + 40 * us).gaps).toEqual([]);
});

it('a kernel leads to its launch and the range around it, a launch to its kernel, a range to what it launched', async () => {
  const { report, lanes, laneOf, times } = await recording();
  const linksOf = (kind: string, index: number) => {
    const links = linkedEvents(report, lanes, laneOf(kind), ...times(kind, index));
    return links?.linked.map(({ kind: of, name, startNs }) => [of, name, startNs - times('range', 0)[0]]);
  };
  expect(linksOf('kernel', 1)).toEqual([
    ['range', 'attention', 0],
    ['api', 'cudaLaunchKernel', 20 * us],
  ]);
  expect(linksOf('api', 2)).toEqual([
    ['range', 'mlp', 50 * us],
    ['kernel', 'gemm', 160 * us],
  ]);
  expect(linksOf('range', 0)).toEqual([
    ['api', 'cudaLaunchKernel', 10 * us],
    ['api', 'cudaLaunchKernel', 20 * us],
    ['kernel', 'gemm', 15 * us],
    ['kernel', 'softmax', 35 * us],
  ]);
  expect(linkedEvents(report, lanes, laneOf('range'), ...times('range', 0))).toMatchObject({
    kernels: 2,
    kernelNs: 30 * us,
  });
  expect(linkedEvents(report, lanes, laneOf('kernel'), 1, 2)).toBeUndefined();
  expect(linkedEvents(report, lanes, 99, 1, 2)).toBeUndefined();
});

it('a search goes from one kernel of that name to the next and round; ranges where no kernel has it', async () => {
  const { report, lanes, times } = await recording();
  const [first] = times('kernel', 0);
  const [last] = times('kernel', 2);
  const next = findEvent(report, lanes, 'GEMM', first, 'next');
  expect(next).toMatchObject({ total: 2, index: 1, event: { kind: 'kernel', startNs: last } });
  expect(findEvent(report, lanes, 'gemm', last, 'next')).toMatchObject({
    index: 0,
    event: { startNs: first },
  });
  expect(findEvent(report, lanes, 'gemm', first, 'previous')).toMatchObject({ index: 1 });
  expect(findEvent(report, lanes, 'gemm', last, 'previous')).toMatchObject({ index: 0 });
  expect(findEvent(report, lanes, 'attention', 0, 'next')).toMatchObject({
    total: 1,
    event: { kind: 'range' },
  });
  expect(findEvent(report, lanes, 'conv', 0, 'next')).toEqual({ total: 0 });
});
