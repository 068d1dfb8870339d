import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { CaptureError } from '../captureError.ts';
import { type ImportLimits, importLimits } from '../importBudget.ts';
import { deviceActivity } from '../nsys/activity.ts';
import { kernelsByRange, summariseCopies } from '../nsys/summaries.ts';
import { importChromeTrace } from './chromeImport.ts';

const folder = mkdtempSync(join(tmpdir(), 'dyno-chrome-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const importing = (
  contents: string | Uint8Array,
  limits: ImportLimits = importLimits,
  name = 'trace.json',
) => {
  const path = join(folder, name);
  writeFileSync(path, contents);
  return importChromeTrace(path, { limits });
};

/** One operator that launches one kernel after another, as PyTorch's profiler writes it. */
const kineto = JSON.stringify(
  {
    schemaVersion: 1,
    deviceProperties: [{ id: 0, name: 'NVIDIA H200' }],
    traceEvents: [
      { ph: 'M', name: 'process_name', pid: 10, args: { name: 'python' } },
      { ph: 'X', cat: 'cpu_op', name: 'aten::mm', pid: 10, tid: 11, ts: 1000, dur: 50 },
      {
        ph: 'X',
        cat: 'cuda_runtime',
        name: 'cudaLaunchKernel',
        pid: 10,
        tid: 11,
        ts: 1010,
        dur: 5,
        args: { correlation: 7 },
      },
      {
        ph: 'X',
        cat: 'kernel',
        name: 'gemm',
        pid: 0,
        tid: 7,
        ts: 1020.125,
        dur: 100,
        args: { device: 0, stream: 7, correlation: 7, grid: [8, 2, 1], block: [128, 1, 1] },
      },
      {
        ph: 'X',
        cat: 'kernel',
        name: 'copy_',
        pid: 0,
        tid: 7,
        ts: 1220.125,
        dur: 100,
        args: { device: 0, stream: 7, correlation: 9 },
      },
      {
        ph: 'X',
        cat: 'gpu_memcpy',
        name: 'Memcpy HtoD (Pinned -> Device)',
        pid: 0,
        tid: 7,
        ts: 1130,
        dur: 10,
        args: { device: 0, stream: 7, bytes: 1024 },
      },
      { ph: 'X', cat: 'python_function', name: 'train.py(3): step', pid: 10, tid: 'main', ts: 990, dur: 400 },
      { ph: 's', cat: 'ac2g', id: 7, pid: 10, tid: 11, ts: 1010, name: 'ac2g' },
    ],
    traceName: 'a "traceEvents": [ inside a string',
  },
  undefined,
  2,
);

it('a trace of PyTorch’s profiler is a timeline: kernels, their launches and operators, copies', async () => {
  for (const [contents, name] of [
    [kineto, 'trace.json'],
    [gzipSync(kineto), 'trace.json.gz'],
  ] as const) {
    const report = await importing(contents, importLimits, name);
    expect(report.gpus).toEqual([{ id: 0, name: 'NVIDIA H200' }]);
    expect(report.kernels.rows).toBe(2);
    expect(report.kernels.startNs[0]).toBe(30_125);
    expect(report.kernels.gridThreads[0]).toBe(8 * 2 * 128);
    expect(report.kernels.launchStartNs[0]).toBe(20_000);
    expect(deviceActivity(report)[0]).toMatchObject({ busyNs: 200_000, idleNs: 100_000 });
    expect(kernelsByRange(report)[0]).toMatchObject({ range: 'aten::mm', kernel: 'gemm', count: 1 });
    expect(summariseCopies(report)).toMatchObject([{ kind: 'host to device', bytes: 1024 }]);
    expect(report.missing.join()).toContain('1 events of phase s are not shown');
  }
});

it('any Chrome trace: slices, begun and ended ones, instants; an array that was never closed', async () => {
  const events = [
    { ph: 'B', name: 'outer', pid: 1, tid: 1, ts: 5 },
    { ph: 'X', name: 'inner', pid: 1, tid: 1, ts: 6, dur: 2 },
    { ph: 'E', pid: 1, tid: 1, ts: 10 },
    { ph: 'i', name: 'mark', pid: 1, tid: 1, ts: 7, s: 't' },
    { ph: 'E', pid: 1, tid: 2, ts: 11 },
  ];
  const text = `[\n${events.map((event) => JSON.stringify(event)).join(',\n')}`;
  const report = await importing(text);
  expect(report.ranges.rows).toBe(3);
  expect([...report.ranges.startNs]).toEqual([0, 1000, 2000]);
  expect([...report.ranges.endNs]).toEqual([5000, 3000, 2000]);
  expect(report.missing.join()).toContain('cut off');
  expect(report.missing.join()).toContain('1 ends of slices that never began');
});

it('a trace with more events than memory should hold is one line, and says where', async () => {
  const events = Array.from(
    { length: 140_000 },
    (_, i) => `{"ph":"X","cat":"cpu_op","name":"op","pid":1,"tid":1,"ts":${i},"dur":1}`,
  );
  const limits = { bytes: 1e9, rows: 1e6, milliseconds: 60_000, keptBytes: 4 * 2 ** 20 };
  await expect(importing(`[${events.join(',')}]`, limits)).rejects.toThrow(
    /has more events than 4 MiB hold \(row 131073 and more\)/,
  );
  const { ranges } = await importing(`[${events.slice(0, 131_000).join(',')}]`, limits);
  expect(ranges.rows).toBe(131_000);
  const part = { fromNs: 100e6, toNs: 100.01e6 };
  const few = await importing(`[${events.join(',')}]`, { ...limits, part });
  expect([...few.ranges.startNs].map((ns) => ns + 99_999_000)).toEqual(
    Array.from({ length: 12 }, (_, i) => 99_999_000 + i * 1000),
  );
  const none = { ...limits, part: { fromNs: 1e9, toNs: 2e9 } };
  await expect(importing(`[${events.join(',')}]`, none)).rejects.toThrow('140000 outside of it');
});

it('what is no such trace, and any damage, ends in one line', async () => {
  await expect(importing('{"a": 1}')).rejects.toThrow('without "traceEvents"');
  await expect(importing('[]')).rejects.toThrow('without any slice');
  await expect(importing('')).rejects.toThrow('is empty');
  await expect(importing('{"traceEvents": [{"ph": "X", "ts": }]}')).rejects.toThrow('event 1 is no JSON');
  await fc.assert(
    fc.asyncProperty(
      fc.nat(kineto.length - 1),
      fc.string({ maxLength: 3 }),
      fc.nat(kineto.length),
      async (at, put, end) => {
        const damaged = (kineto.slice(0, at) + put + kineto.slice(at + 1)).slice(0, Math.max(1, end));
        await importing(damaged).catch((thrown: unknown) => expect(thrown).toBeInstanceOf(CaptureError));
      },
    ),
    { numRuns: 150 },
  );
});
