import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HeavyTasks } from '../heavyTasks.ts';
import { parquetReader, query } from '../store/duckdb.ts';
import { bundleEntry } from '../testing/bundleEntry.ts';
import { testSpec } from '../testing/testSpec.ts';
import { type ComparedRun, compareRuns } from './compareRuns.ts';

let tasks: HeavyTasks;
beforeAll(async () => {
  tasks = new HeavyTasks(await bundleEntry('electron/runner/main.ts', 'compareRunner.mjs'));
});
afterAll(() => tasks.close());

/** 400 requests, one a second; `instance` gives the instance that computes request r. */
async function run(
  name: string,
  status: 'done' | 'interrupted',
  instance: string,
  ttft: string,
): Promise<ComparedRun> {
  const reader = await parquetReader(tmpdir());
  await query(
    reader,
    `CREATE OR REPLACE TABLE ${name} AS SELECT 0::INTEGER AS iteration, r::INTEGER AS request, 'completed' AS status,
       (r * 1000000000)::BIGINT AS arrival_ns, (r * 1000000000 + 500000000)::BIGINT AS finish_ns,
       10::INTEGER AS prompt_tokens, 5::INTEGER AS output_tokens, (${instance})::INTEGER AS prefill_instance,
       (${ttft})::DOUBLE AS ttft_ms, 10::DOUBLE AS tpot_ms, 500::DOUBLE AS e2e_ms, 1::DOUBLE AS queue_ms, true AS good
     FROM range(400) t(r)`,
  );
  return {
    manifest: {
      schema: 1,
      run: name,
      group: name,
      title: '',
      status,
      spec: testSpec({ variant: name === 'one' ? 'baseline' : 'optimized' }),
      started: '2026-11-21T10:00:00.000Z',
      versions: {},
      hardware: { cpu: '', cores: 1, memory_bytes: 1, gpus: [] },
      tags: [],
      note: '',
      files: {},
    },
    summary: { requests: { arrived: 400, rejected: 0 } },
    requests: { instance: reader, from: name },
  };
}

test('two runs on servers that took no turns say so', async () => {
  const on = async (iterations: number) => {
    const sides = [
      await run('one', 'done', 'r % 4', '100 + r % 10'),
      await run('two', 'done', 'r % 4', '100 + r % 10'),
    ].map((side): ComparedRun => {
      const spec = { ...side.manifest.spec, engine: 'http' as const, iterations };
      return { ...side, manifest: { ...side.manifest, spec } };
    });
    const [a, b] = sides;
    if (a === undefined || b === undefined) throw new Error('two sides');
    return (await compareRuns(tasks, a, b)).warnings.join(' ');
  };
  expect(await on(1)).toContain('One replicate each, one after the other');
  expect(await on(3)).not.toContain('One replicate each');
});

test('an instance that took nearly all requests, and a run that broke off, are said', async () => {
  const found = await compareRuns(
    tasks,
    await run('one', 'done', 'r % 4', '100 + r % 10'),
    await run('two', 'interrupted', 'CASE WHEN r % 20 = 0 THEN 1 ELSE 3 END', '50 + r % 10'),
  );
  expect(found.warnings).toContain(
    'The optimized run collapsed onto instance 3: it took 95.0 % of the requests.',
  );
  expect(found.warnings).toContain('The optimized run is interrupted: its figures cover only what it did.');
  expect(found.warnings.join()).not.toContain('baseline run');
  expect(found.verification.status).toBe('passed');
  expect(found.rows.find(({ metric }) => metric === 'ttft_ms.p50')).toMatchObject({ verdict: 'better' });
});

test('a run without request rows says what to do', async () => {
  const one = await run('one', 'done', 'r % 4', '100');
  await expect(compareRuns(tasks, one, { ...one, requests: undefined })).rejects.toThrow(
    'kept no request rows',
  );
});

test('a run that a profiler slowed takes part in no verdict, and the comparison says so', async () => {
  const baseline = await run('plain', 'done', 'r % 2', '100.0 + r % 10');
  const slowed = await run('slowed', 'done', 'r % 2', '50.0 + r % 10');
  const captured = {
    ...slowed,
    manifest: { ...slowed.manifest, captured: { tool: 'nsys', capture: 'c', perturbs: true } },
  };
  const found = await compareRuns(tasks, baseline, captured);
  expect(found.verdict).toBe('No verdict: the optimized run (nsys) went on inside a profiler.');
  expect(found.rows.every(({ verdict }) => verdict === 'no_evidence')).toBe(true);
  expect(found.warnings[0]).toContain('slowed by the profiler');
});

test('a faster fleet that answers less well has both in its verdict', async () => {
  const baseline = await run('one', 'done', 'r % 4', '100 + r % 10');
  const optimized = await run('two', 'done', 'r % 4', '50 + r % 10');
  const found = await compareRuns(
    tasks,
    { ...baseline, summary: { ...baseline.summary, quality: { adequate_share: 1 } } },
    { ...optimized, summary: { ...optimized.summary, quality: { adequate_share: 0.975 } } },
  );
  expect(found.verdict).toMatch(
    /lower.* Adequately answered: 100.% of the requests by the baseline, 97\.5.%/,
  );
});
