import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalog } from '../../../workloads/catalog/catalog.ts';
import { captureRun } from './captureRun.ts';
import { captureEnvironment } from './environment.ts';
import { importReport } from './importReport.ts';
import { runCapture } from './job/captureJob.ts';
import type { ToolProgress } from './job/progress.ts';
import { summariseNames } from './nsys/summaries.ts';
import { nsysCommand } from './nsysArguments.ts';
import { type FoundTool, findTool } from './tools.ts';

/**
 * The real Nsight Systems on a small CPU program with NVTX ranges, from argument list to figures. Needs nsys, whose own
 * folder has the NVTX headers, and a C compiler; skipped, visibly, where either is absent.
 */
const nsys: FoundTool | undefined = await findTool('nsys').catch(() => undefined);
const headers = nsys === undefined ? '' : join(dirname(realpathSync(nsys.path)), 'nvtx/include');
const compiler = ['/usr/bin/cc', '/usr/bin/gcc', '/usr/bin/clang'].find((path) => existsSync(path));
const runner = join(import.meta.dirname, '../../../out/runner.mjs');
const ready = nsys !== undefined && existsSync(headers) && compiler !== undefined;

const program = `
#include <nvtx3/nvToolsExt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile sig_atomic_t stop;
static void onSignal(int signal) { (void)signal; stop = 1; }
int main(int argc, char **argv) {
  (void)argv;
  signal(SIGINT, onSignal);
  for (int i = 0; i < (argc > 1 ? 100000 : 5) && !stop; i++) {
    nvtxRangePushA("iteration");
    nvtxRangePushA("prefill"); usleep(4000); nvtxRangePop();
    nvtxRangePushA("decode"); usleep(2000); nvtxRangePop();
    nvtxRangePop();
  }
  puts("finished");
  return 0;
}
`;

describe.skipIf(!ready)('the real nsys (needs nsys and a C compiler)', () => {
  let folder = '';
  let binary = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'dyno-nsys-real-'));
    binary = join(folder, 'ranges');
    writeFileSync(join(folder, 'ranges.c'), program);
    execFileSync(compiler ?? '', ['-I', headers, join(folder, 'ranges.c'), '-o', binary, '-ldl']);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const capture = (name: string, args: readonly string[], limitMs: number, progress: ToolProgress[] = []) =>
    runCapture({
      command: nsysCommand({
        nsys: nsys?.path ?? '',
        version: nsys?.version ?? { major: 0, minor: 0, patch: 0, text: '' },
        profile: 'minimal',
        output: join(folder, name),
        command: [binary, ...args],
        withoutCuda: true,
      }),
      environment: captureEnvironment({ ...process.env, DYNO_SECRET: 'hunter2' }),
      folder: join(folder, `${name}-job`),
      limitMs,
      onProgress: (one) => progress.push(one),
    });

  it('records five iterations with their nested ranges and system calls', async () => {
    const progress: ToolProgress[] = [];
    const result = await capture('whole', [], 60_000, progress);
    expect(result).toMatchObject({ state: 'done', exitCode: 0, report: join(folder, 'whole.nsys-rep') });
    expect(progress.some((one) => one.phase === 'processing')).toBe(true);
    expect(readFileSync(result.log, 'utf8')).toContain('finished');

    const imported = await importReport(result.report, { cacheFolder: join(folder, 'cache') });
    if (imported.kind !== 'nsys') throw new Error('not an nsys report');
    const { report } = imported;
    const ranges = summariseNames(report.ranges, report.names);
    expect(ranges.map((row) => [row.name, row.count])).toEqual([
      ['iteration', 5],
      ['prefill', 5],
      ['decode', 5],
    ]);
    expect(ranges[1]?.medianNs).toBeGreaterThan(4e6);
    expect(new Set(report.ranges.depth)).toEqual(new Set([0, 1]));
    expect(
      summariseNames(report.osCalls, report.names).find((row) => /sleep/.test(row.name))?.count,
    ).toBeGreaterThanOrEqual(10);
    expect(report.missing.some((line) => line.startsWith('CUPTI_ACTIVITY_KIND_KERNEL'))).toBe(true);
    // Neither this shell's variables nor the other processes' are in what we keep.
    const sqlite = readFileSync(imported.sqlite);
    expect(sqlite.includes('hunter2')).toBe(false);
    expect(sqlite.includes('PATH=')).toBe(false);
  }, 90_000);

  it('stopped at its limit, it still gives a report', async () => {
    const result = await capture('limited', ['long'], 2_500);
    expect(result.state).toBe('stopped_at_limit');
    const imported = await importReport(result.report, { cacheFolder: join(folder, 'cache') });
    expect(imported.kind === 'nsys' && imported.report.ranges.rows).toBeGreaterThan(30);
  }, 90_000);

  it('killed outright, it leaves its recording in the folder and no process behind', async () => {
    const killed = new AbortController();
    const command = nsysCommand({
      nsys: nsys?.path ?? '',
      version: nsys?.version ?? { major: 0, minor: 0, patch: 0, text: '' },
      profile: 'minimal',
      output: join(folder, 'killed-job', 'killed'),
      command: [binary, 'long'],
      withoutCuda: true,
    });
    setTimeout(() => killed.abort(), 2_500);
    await expect(
      runCapture({
        command,
        environment: captureEnvironment(process.env),
        folder: join(folder, 'killed-job'),
        limitMs: 60_000,
        signal: killed.signal,
        ladder: [{ signal: 'SIGKILL', patienceMs: 3_000 }],
      }),
    ).rejects.toMatchObject({ code: 'cancelled' });
    const left = readdirSync(join(folder, 'killed-job'));
    expect(left.some((name) => name.endsWith('.qdstrm'))).toBe(true);
    const running = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(running).not.toContain(binary);
  }, 60_000);

  it.skipIf(!existsSync(runner))(
    'captures a run of the simulator (needs out/runner.mjs: npm run build)',
    async () => {
      const [target] = catalog;
      if (target === undefined) throw new Error('no target');
      const spec = target.spec({
        variant: 'baseline',
        engine: 'sim',
        parameters: {},
        seed: 0,
        iterations: 1,
      });
      const request = {
        tool: 'nsys',
        profile: 'minimal',
        folder: join(folder, 'sim'),
        runner,
        limitMs: 60_000,
      } as const;
      const captured = await captureRun({
        ...request,
        spec: { ...spec, traffic: { kind: 'synthetic', requests: 200, duration_s: 60, speedup: 1 } },
      });
      expect(captured.state).toBe('done');
      expect(captured.run).toMatchObject({ status: 'done', summary: { requests: { completed: 200 } } });
      expect(JSON.parse(readFileSync(join(folder, 'sim/capture.json'), 'utf8'))).toMatchObject({
        perturbed: true,
        run: 'done',
      });
      const imported = await importReport(captured.report, { cacheFolder: join(folder, 'cache') });
      expect(imported.kind === 'nsys' && imported.report.osCalls.rows).toBeGreaterThan(50);
      // Ranges need the addon; without it a capture goes on without them.
      if (
        existsSync(join(import.meta.dirname, '../../../native/build/dyno.node')) &&
        imported.kind === 'nsys'
      )
        expect(summariseNames(imported.report.ranges, imported.report.names).map(({ name }) => name)).toEqual(
          expect.arrayContaining(['start', 'advance', 'finish']),
        );

      await expect(
        captureRun({
          ...request,
          spec: {
            ...spec,
            traffic: { kind: 'trace', path: '/no/such.jsonl', format: 'mooncake', speedup: 1 },
          },
          folder: join(folder, 'bad'),
        }),
      ).rejects.toMatchObject({
        code: 'bad_input',
        message: expect.stringContaining('/no/such.jsonl'),
      });
      await expect(captureRun({ ...request, tool: 'ncu', spec })).rejects.toThrow(
        'the engine sim launches none',
      );
    },
    120_000,
  );

  it('a damaged report is one clear line', async () => {
    const broken = join(folder, 'broken.nsys-rep');
    writeFileSync(broken, Buffer.alloc(10_000, 1));
    await expect(importReport(broken, { cacheFolder: join(folder, 'cache') })).rejects.toMatchObject({
      code: 'bad_input',
    });
  }, 60_000);
});
