import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SweepPoint } from '../../../workloads/harness/sweep/point.ts';
import { planSweep } from '../../../workloads/harness/sweep/sweepPlan.ts';
import { type SweepSpec, sweepSpec } from '../../../workloads/harness/sweep/sweepSpec.ts';
import { simulate } from '../../shared/simulate.ts';
import { runSweep } from './runSweep.ts';
import { createSweep, PointWriter, readSweep } from './sweepFolder.ts';

const spec: SweepSpec = sweepSpec.parse({
  schema: 1,
  target: 'labs/dynamic_router:dynamic_router',
  engine: 'sim',
  variant: 'optimized',
  parameters: { requests: 60, model: 'llama-3.1-8b' },
  seed: 1,
  axes: [
    { parameter: 'instances', min: 1, max: 6 },
    { parameter: 'speedup', min: 4, max: 40, log: true },
  ],
  search: { kind: 'bayesian', budget: 24 },
  objectives: [
    { metric: 'goodput_rps', per: 'gpu', better: 'higher' },
    { metric: 'ttft_ms.p99', better: 'lower' },
  ],
});

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dyno-sweep-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs the sweep and says how many points were simulated. */
async function run(
  options: { jobs?: number; known?: readonly SweepPoint[]; stopAfter?: number; of?: SweepSpec } = {},
) {
  const { jobs = 3, known = [], stopAfter = Number.POSITIVE_INFINITY, of = spec } = options;
  const ended: SweepPoint[] = [];
  const points = await runSweep({
    plan: planSweep(of),
    known,
    jobs,
    simulate,
    onPoint: (point) => {
      ended.push(point);
      return Promise.resolve();
    },
    isCancelled: () => ended.length >= stopAfter,
  });
  return { points, ended };
}

describe('a sweep', () => {
  it('gives the same points on one thread, on three, and after an interruption', async () => {
    const one = await run({ jobs: 1 });
    const three = await run({ jobs: 3 });
    expect(three.points).toEqual(one.points);
    expect(one.points.map(({ index }) => index)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    const cut = await run({ stopAfter: 13 });
    const rest = await run({ known: cut.ended });
    expect(rest.points).toEqual(one.points);
    expect(rest.ended).toHaveLength(24 - cut.ended.length);
  });

  it('keeps a setting that cannot be run, with its reason, and goes on', async () => {
    const of = sweepSpec.parse({
      ...spec,
      axes: [{ parameter: 'model', values: ['llama-3.1-8b', 'llama-3.1-70b'] }],
      parameters: { requests: 40, gpu: 'rtx-4090' },
      search: { kind: 'grid' },
    });
    const { points } = await run({ of });
    expect(points.map(({ error }) => error === undefined)).toEqual([true, false]);
    expect(points[1]?.error).toMatch(/no room for KV/);
  });
});

describe('its folder', () => {
  it('gives back what was written; half a last line is dropped and written over', async () => {
    const { ended } = await run({ stopAfter: 8 });
    await createSweep(folder, 'test', spec);
    const writer = await PointWriter.open(folder);
    for (const point of ended) await writer.write(point);
    await writer.close();
    const sorted = [...ended].sort((a, b) => a.index - b.index);
    expect((await readSweep(folder)).points).toEqual(sorted);
    await appendFile(join(folder, 'points.jsonl'), '{"index":99,"val');
    expect((await readSweep(folder)).points).toEqual(sorted);
    await (await PointWriter.open(folder)).close();
    expect(await readFile(join(folder, 'points.jsonl'), 'utf8')).toMatch(/\}\n$/);
  });

  it('names file, line and what was expected', async () => {
    await expect(readSweep(folder)).rejects.toThrow(/sweep\.json: no such file, expected a sweep/);
    await writeFile(join(folder, 'sweep.json'), '{}');
    await expect(readSweep(folder)).rejects.toThrow(/sweep\.json: .*expected a sweep/);
    await rm(join(folder, 'sweep.json'));
    await createSweep(folder, 'test', spec);
    await expect(createSweep(folder, 'test', spec)).rejects.toThrow(/there is a sweep already/);
    await writeFile(join(folder, 'points.jsonl'), '{"index":0}\n');
    await expect(readSweep(folder)).rejects.toThrow(/points\.jsonl: line 1: expected a point/);
  });
});
