import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { whatFile } from '../../open/whatFile.ts';
import { CaptureError } from '../captureError.ts';
import { importReport } from '../importReport.ts';
import { deviceActivity } from './activity.ts';
import { kernelsByRange, summariseCopies } from './summaries.ts';

const folder = mkdtempSync(join(tmpdir(), 'dyno-stats-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
async function importing(text: string, name = 'report.csv') {
  const file = join(folder, name);
  writeFileSync(file, text);
  const found = await importReport(file, { cacheFolder: folder });
  if (found.kind !== 'nsys') throw new Error(found.kind);
  return { report: found.report, what: whatFile(file) };
}

/** As nsys 2024 prints it. */
const gpuTrace = `Start (ns),Duration (ns),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Reg/Trd,StcSMem (MB),DymSMem (MB),Bytes (MB),Throughput (MB/s),SrcMemKd,DstMemKd,Device,Ctx,GreenCtx,Strm,Name
1000,50,11,,,,,,,,,,0.004,81920.000,Pageable,Device,NVIDIA H200 (0),1,,7,[CUDA memcpy Host-to-Device]
1100,200,12,8,2,1,128,1,1,32,0.001,0.000,,,,,NVIDIA H200 (0),1,,7,"void gemm<(int)128, (bool)1>(float *, int)"
1400,10,13,,,,,,,,,,0.002,204800.000,Device,,NVIDIA H200 (0),1,,7,[CUDA memset]
1500,100,14,1,1,1,64,1,1,16,0.000,0.000,,,,,NVIDIA H200 (1),2,,13,copy_
`;
const apiTrace = `Start (ns),Duration (ns),Name,Result,CorrID,Pid,Tid,T-Pri,Thread Name
900,20,cudaLaunchKernel,0,12,77,78,20,python
`;
const nvtxTrace = `Start (ns),End (ns),Duration (ns),DurChild (ns),DurNonChild (ns),Name,PID,TID,Lvl,NumChild,RangeId,ParentId,RangeStack,NameTree
850,2000,1150,0,1150,:step,77,78,0,0,1,,:1,:step
`;

it('the GPU trace is a timeline: kernels, copies, GPUs; what it cannot know is said', async () => {
  const { report, what } = await importing(gpuTrace);
  expect(what).toMatchObject({ kind: 'timeline', what: 'a table of events of nsys stats (CSV)' });
  expect(report.gpus).toEqual([
    { id: 0, name: 'NVIDIA H200' },
    { id: 1, name: 'NVIDIA H200' },
  ]);
  expect(report.kernels.rows).toBe(2);
  expect(report.names[report.kernels.name[0] ?? -1]).toBe('void gemm<(int)128, (bool)1>(float *, int)');
  expect(report.kernels.gridThreads[0]).toBe(8 * 2 * 128);
  expect(report.kernels.sharedBytes[0]).toBe(1000);
  expect(report.kernels.startNs[0]).toBe(100);
  expect(summariseCopies(report)).toMatchObject([
    { kind: 'host to device', bytes: 4000 },
    { kind: 'memset', bytes: 2000 },
  ]);
  expect(deviceActivity(report)).toMatchObject([{ busyNs: 200 }, { busyNs: 100 }]);
  expect(report.missing.join()).toMatch(/--report cuda_api_trace.*--report nvtx_pushpop_trace/);
});

it('several tables with the lines of the tool between them: launches and ranges are joined', async () => {
  const { report } = await importing(
    `Processing [r.sqlite] with [cuda_gpu_trace.py]... \n\n${gpuTrace}\nProcessing [r.sqlite] with [cuda_api_trace.py]... \n${apiTrace}\n${nvtxTrace}`,
    'all.csv',
  );
  expect(report.missing).toEqual([]);
  expect(kernelsByRange(report).find(({ kernel }) => kernel.startsWith('void gemm'))).toMatchObject({
    range: 'step',
    count: 1,
    gpuNs: 200,
  });
  expect(report.kernels.launchStartNs[0]).toBe(50);
});

it('units are those of the titles; semicolons, thousands, CRLF and a mark before the first title', async () => {
  const text = `\ufeff${gpuTrace}`
    .replaceAll(/"[^"]*"/g, 'gemm')
    .replaceAll(',', ';')
    .replace('Start (ns);Duration (ns)', 'Start (us);Duration (us)')
    .replace('1100;200;', '1,100;200;')
    .replaceAll('\n', '\r\n');
  const { report } = await importing(text, 'semicolons.csv');
  expect(report.kernels.startNs[0]).toBe(100_000);
  expect((report.kernels.endNs[0] ?? 0) - (report.kernels.startNs[0] ?? 0)).toBe(200_000);
});

it('rows without times are dropped and counted; tables of totals are named, with the way to go', async () => {
  const { report } = await importing(
    `${gpuTrace}2000,,15,1,1,1,1,1,1,8,0,0,,,,,NVIDIA H200 (0),1,,7,open\n2100,-5,16,1,1,1,1,1,1,8,0,0,,,,,NVIDIA H200 (0),1,,7,back\n`,
    'odd.csv',
  );
  expect(report.kernels.rows).toBe(2);
  expect(report.missing.join()).toContain('1 rows dropped: without a start or a duration');
  expect(report.missing.join()).toContain('1 rows dropped: that end before they start');
  await expect(
    importing(
      'Time (%),Total Time (ns),Instances,Avg (ns),Name\n50.1,99385786,32,3105805.8,gemm\n',
      'sum.csv',
    ),
  ).rejects.toThrow(/a table of nsys stats: totals without times/);
});

it('any damage ends in one line', async () => {
  const all = gpuTrace + apiTrace + nvtxTrace;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(all.length - 1),
      fc.string({ maxLength: 3 }),
      fc.nat(all.length),
      async (at, put, end) => {
        const damaged = (all.slice(0, at) + put + all.slice(at + 1)).slice(0, Math.max(1, end));
        await importing(damaged, 'damaged.csv').catch((thrown: unknown) => {
          expect(thrown).toBeInstanceOf(Error);
          expect(String((thrown as Error).message)).not.toContain('\n');
          if (!(thrown instanceof CaptureError)) expect((thrown as Error).name).toBe('InputError');
        });
      },
    ),
    { numRuns: 150 },
  );
});
