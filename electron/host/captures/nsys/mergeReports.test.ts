import { expect, it } from 'vitest';
import { deviceActivity } from './activity.ts';
import { mergeReports } from './mergeReports.ts';
import type { NsysReport } from './nsysReport.ts';
import { kernelsByRange } from './summaries.ts';
import { TimelineColumns } from './timelineColumns.ts';

/** One rank: a range with the launch of a kernel in it, at `at` on its own clock. */
function rank(at: number, kernel: string, more: Partial<NsysReport> = {}): NsysReport {
  const columns = new TimelineColumns();
  const place = { pid: 7, tid: 8 };
  columns.range({ start: 0, end: 1, name: 'first', ...place, kind: 34 });
  columns.range({ start: at, end: at + 100, name: `step of ${kernel}`, ...place, kind: 59 });
  columns.call({ start: at + 10, end: at + 20, name: 'cudaLaunchKernel', ...place, correlation: 3 });
  columns.kernel({
    ...{ start: at + 50, end: at + 150, name: kernel, device: 0, stream: 1, correlation: 3 },
    ...{ gridThreads: 64, blockThreads: 32, registers: 16 },
  });
  const about = {
    tool: { name: 'nsys', version: '1', schema: '' },
    gpus: [{ id: 0, name: 'H200' }],
    missing: [],
  };
  return { ...columns.report(about), ...more };
}

it('wall clocks lay ranks beside each other; equal numbers of GPUs and processes stay apart', () => {
  const merged = mergeReports([
    { file: '/a/rank0.sqlite', report: rank(1000, 'gemm', { startUtcNs: '1700000000000000500' }) },
    { file: '/b/rank1.sqlite', report: rank(1000, 'copy_', { startUtcNs: '1700000000000000000' }) },
  ]);
  expect(merged.startUtcNs).toBe('1700000000000000000');
  expect(merged.gpus.map(({ id, name }) => `${id} ${name}`)).toEqual([
    '0 H200 (rank0.sqlite)',
    '1 H200 (rank1.sqlite)',
  ]);
  const kernels = [...merged.kernels.name].map((name, i) => [
    merged.names[name],
    merged.kernels.device[i],
    merged.kernels.startNs[i],
    merged.kernels.launchStartNs[i],
  ]);
  // The second began 500 ns before the first.
  expect(kernels).toEqual([
    ['copy_', 1, 1050, 1010],
    ['gemm', 0, 1550, 1510],
  ]);
  expect(deviceActivity(merged).map(({ busyNs }) => busyNs)).toEqual([100, 100]);
  expect(kernelsByRange(merged).map(({ range, kernel }) => [range, kernel])).toEqual(
    expect.arrayContaining([
      ['step of gemm', 'gemm'],
      ['step of copy_', 'copy_'],
    ]),
  );
  expect(new Set(merged.ranges.pid).size).toBe(2);
  expect(merged.missing).toEqual([]);
});

it('one GPU that two reports saw is one, and a report without a wall clock is said', () => {
  const gpus = [{ id: 0, name: 'H200', uuid: 'GPU-1' }];
  const merged = mergeReports([
    { file: 'a.sqlite', report: rank(0, 'gemm', { gpus, startUtcNs: '5' }) },
    { file: 'b.sqlite', report: rank(0, 'gemm', { gpus }) },
  ]);
  expect(merged.gpus).toHaveLength(1);
  expect([...merged.kernels.device]).toEqual([0, 0]);
  expect(merged.names.filter((name) => name === 'gemm')).toHaveLength(1);
  expect(merged.missing.join()).toContain('b.sqlite: no wall clock');
});
