import { describe, expect, test } from 'vitest';
import type { Replicate } from '../../cluster/replicate.ts';
import { IterationShape } from '../../cost/costModel.ts';
import { MoeCost } from '../../cost/moeCost.ts';
import { PipelineCost } from '../../cost/pipelineCost.ts';
import { findModel } from '../../model/models.ts';
import { Recorder } from '../../record/recorder.ts';
import type { CostSpec } from '../../run/costSpec.ts';
import { modelled } from '../../run/instanceSpec.ts';
import type { MoeSpec } from '../../run/moeSpec.ts';
import { type RunSpec, runSpec } from '../../run/spec.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { invariantsOf } from './invariants.ts';
import { simReplicate } from './simReplicate.ts';
import { StageServers } from './stageServers.ts';
import { KeepingSink, runSpecOn, tinySpec, tinyTraffic } from './tinyRun.ts';

type Cost = Extract<CostSpec, { kind: 'roofline' }>;

function firstCost(spec: RunSpec): Cost {
  const [first] = spec.cluster.instances.map(modelled);
  if (first?.cost.kind !== 'roofline') throw new Error('expected a roofline');
  return first.cost;
}

const roofline = (own: Partial<Cost> = {}): Cost => ({
  kind: 'roofline',
  gpu: 'h200',
  tensor_parallel: 1,
  compute_efficiency: 0.6,
  memory_efficiency: 0.8,
  iteration_overhead_us: 0,
  ...own,
});

const experts = (ranks: number, own: Partial<MoeSpec> = {}): MoeSpec => ({
  group: 'experts',
  ranks,
  island: Math.min(8, ranks),
  gate: { kind: 'zipf', skew: 0.5 },
  routing: 'free',
  placement: 'linear',
  redundant: 0,
  exchange: 'direct',
  dispatch_bytes: 2,
  combine_bytes: 2,
  island_link: { bandwidth_gb_per_s: 360, latency_us: 5 },
  network: { bandwidth_gb_per_s: 43, latency_us: 15 },
  overlap: 'none',
  kernels: { kind: 'grouped' },
  seed: 1,
  ...own,
});

function specOf(
  model: string,
  costs: readonly Cost[],
  own: Partial<RunSpec['cluster']['scheduler']> = {},
): RunSpec {
  const spec = tinySpec();
  return runSpec.parse({
    ...spec,
    cluster: {
      ...spec.cluster,
      model,
      instances: costs.map((cost, i) => ({
        name: `r${i}`,
        pool: 'mixed',
        serves: 'modelled',
        cost,
        kv_blocks: 4000,
      })),
      scheduler: { ...spec.cluster.scheduler, ...own },
    },
  });
}

/** Requests of all lengths, some of them together. */
const crowd = (n: number): Traffic =>
  tinyTraffic(
    Array.from({ length: n }, (_, i) => ({
      at: Math.floor(i / 3) * 7,
      prompt: 20 + ((i * 37) % 400),
      output: 1 + ((i * 13) % 40),
    })),
  );

function runChecked(spec: RunSpec, traffic: Traffic): Replicate {
  const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
  replicate.onEvent = invariantsOf(replicate);
  while (!replicate.advance(Number.POSITIVE_INFINITY, 100_000));
  return replicate;
}

describe('expert groups', () => {
  const spec = specOf(
    'qwen3-30b-a3b',
    Array.from({ length: 4 }, () => roofline({ moe: experts(4) })),
  );

  test('every request is served, nothing is lost on the way, and twice the same bytes come out', () => {
    const replicate = runChecked(spec, crowd(60));
    expect(replicate.completed).toBe(60);
    const [a, b] = [runSpecOn(spec, crowd(60)), runSpecOn(spec, crowd(60))];
    expect(JSON.stringify(a.summary)).toBe(JSON.stringify(b.summary));
    expect(JSON.stringify(a.sink.batches)).toBe(JSON.stringify(b.sink.batches));
  });

  test('ranks start and end their passes together', () => {
    const { sink } = runSpecOn(spec, crowd(60));
    const ends = new Map<number, number>();
    for (const row of sink.table('iterations')) {
      if (Number(row['passes']) !== 1) continue;
      const start = Number(row['start_ns']);
      const end = Number(row['end_ns']);
      expect(ends.get(start) ?? end).toBe(end);
      ends.set(start, end);
    }
    expect(ends.size).toBeGreaterThan(10);
  });

  test('one busy rank holds up an idle one: a pass lasts as long as its slowest rank', () => {
    const cost = MoeCost.forModel(roofline({ moe: experts(4) }), experts(4), 'qwen3-30b-a3b');
    const shape = (prompt: number): IterationShape =>
      Object.assign(new IterationShape(), {
        prefillTokens: prompt,
        prefillPairs: (prompt * (prompt + 1)) / 2,
        prefillContextTokens: prompt,
        prefillSequences: 1,
        prefillEnds: 1,
        decodeContextTokens: 0,
      });
    const even = cost.passNs([shape(512), shape(512), shape(512), shape(512)]);
    const uneven = cost.passNs([shape(2048), shape(0), shape(0), shape(0)]);
    expect(uneven).toBeGreaterThan(1.5 * even);
  });

  test('what is computed beside the exchange is hidden, and no more of it than there is', () => {
    const tokens = Object.assign(new IterationShape(), {
      decodeSequences: 128,
      decodeContextTokens: 128_000,
    });
    const pass = (overlap: MoeSpec['overlap']) => {
      const moe = experts(32, { overlap });
      const cost = MoeCost.forModel(roofline({ moe }), moe, 'deepseek-v3');
      const ns = cost.passNs(Array.from({ length: 32 }, () => tokens));
      return { ns, ...cost.last };
    };
    const none = pass('none');
    const shared = pass('shared_expert');
    expect(none.exposedNs).toBeCloseTo(none.exchangeNs, 3);
    expect(shared.exposedNs).toBeLessThan(none.exposedNs);
    expect(none.ns - shared.ns).toBeLessThanOrEqual(none.exchangeNs);
    expect(none.ns - shared.ns).toBeCloseTo(none.exposedNs - shared.exposedNs, -1);
    expect(pass('two_batch').exposedNs).toBeLessThan(none.exposedNs);
  });

  test('a group that is not whole, a model without experts, a pool that hands over: each refused with one line', () => {
    const run = (s: RunSpec): void => void runSpecOn(s, crowd(3));
    expect(() => run(specOf('qwen3-30b-a3b', [roofline({ moe: experts(4) })]))).toThrow(
      '1 instances of the expert group "experts", expected 4',
    );
    expect(() => run(specOf('llama-3.1-8b', [roofline({ moe: experts(1) })]))).toThrow('has no experts');
    const moved = structuredClone(spec);
    const first = moved.cluster.instances[0];
    if (first !== undefined) moved.cluster.instances[0] = { ...first, pool: 'prefill' };
    expect(() => run(moved)).toThrow('pool prefill with 4 data-parallel ranks, expected one');
  });
});

describe('disaggregated experts', () => {
  const tensor = roofline({ tensor_parallel: 2, moe: experts(2, { group: 'prefill' }) });
  const rank = roofline({ moe: experts(4) });

  const split = (blocks: number): RunSpec => {
    const spec = specOf('qwen3-30b-a3b', [tensor, rank, rank, rank, rank]);
    return runSpec.parse({
      ...spec,
      cluster: {
        ...spec.cluster,
        instances: spec.cluster.instances.map((instance, i) => ({
          ...instance,
          pool: i === 0 ? 'prefill' : 'decode',
          serves: 'modelled' as const,
          kv_blocks: i === 0 ? 200 : blocks,
        })),
      },
      policy: { router: 'least_outstanding', router_parameters: {} },
    });
  };

  test('prompts are computed by one group, decoded by the other; blocks and requests are kept after every event', () => {
    const replicate = runChecked(split(4000), crowd(60));
    expect(replicate.completed).toBe(60);
    expect(replicate.instances[0]?.counters.completed).toBeLessThan(10);
    const decoded = replicate.instances.slice(1).map((i) => i.counters.completed);
    expect(Math.min(...decoded)).toBeGreaterThan(0);
  });

  test('those who wait for blocks of a decoding rank get them when a pass frees them', () => {
    // A rank holds two of these at most: the others wait at the prefill group.
    const replicate = runChecked(split(60), crowd(60));
    expect(replicate.completed).toBe(60);
    const roomy = runSpecOn(split(4000), crowd(60)).summary.metrics.e2e_ms?.mean ?? 0;
    expect(runSpecOn(split(60), crowd(60)).summary.metrics.e2e_ms?.mean ?? 0).toBeGreaterThan(roomy);
  });
});

describe('pipelines', () => {
  const line = (stages: number, own: Partial<NonNullable<Cost['pipeline']>> = {}) => ({
    line: 'line',
    stages,
    link: { bandwidth_gb_per_s: 1e12, latency_us: 0 },
    ...own,
  });

  /** A model whose last stage has no lm_head to speak of, so that all stages are equal. */
  const equal = (stages: number) => {
    const model = findModel('llama-3.1-8b');
    if (model === undefined) throw new Error('no model');
    return new PipelineCost(roofline({ pipeline: line(stages) }), line(stages), { ...model, vocabulary: 0 });
  };

  test('the stages of a model take as long as the model, but for rounding', () => {
    const shape = Object.assign(new IterationShape(), { decodeSequences: 8, decodeContextTokens: 8000 });
    const whole = equal(1).iterationNs(shape);
    for (const stages of [2, 3, 4, 8])
      expect(Math.abs(equal(stages).iterationNs(shape) - whole)).toBeLessThan(9);
  });

  test('m micro-batches through p equal stages and free links: the bubble measured is (p − 1) ÷ (m + p − 1)', () => {
    for (let p = 1; p <= 8; p++)
      for (let m = 1; m <= 16; m++) {
        const servers = new StageServers(p);
        let end = 0;
        for (let i = 0; i < m; i++) end = servers.enter(0, 0, 0, () => 1000);
        expect(end).toBe((m + p - 1) * 1000);
        expect(servers.bubble, `${p} stages, ${m} micro-batches`).toBeCloseTo((p - 1) / (m + p - 1), 12);
      }
  });

  test('an unequal stage or a slow hop is a larger bubble than the formula knows', () => {
    const bubble = (stage: (s: number) => number, hop: number): number => {
      const servers = new StageServers(4);
      for (let i = 0; i < 4; i++) servers.enter(0, 0, hop, stage);
      return servers.bubble ?? 0;
    };
    const formula = 3 / 7;
    expect(bubble((s) => (s === 3 ? 2000 : 1000), 0)).toBeGreaterThan(formula);
    expect(bubble(() => 1000, 300)).toBeGreaterThan(formula);
  });

  test('slots of a run go through the stages like that: four requests of one pass each', () => {
    const spec = specOf(
      'llama-3.1-8b',
      Array.from({ length: 4 }, () => roofline({ pipeline: line(4) })),
    );
    const traffic = tinyTraffic(Array.from({ length: 4 }, () => ({ at: 0, prompt: 300, output: 1 })));
    const { summary, sink } = runSpecOn(spec, traffic);
    const cost = PipelineCost.forModel(roofline({ pipeline: line(4) }), line(4), 'llama-3.1-8b');
    const shape = Object.assign(new IterationShape(), {
      prefillTokens: 300,
      prefillPairs: 45_150,
      prefillContextTokens: 300,
      prefillSequences: 1,
      prefillEnds: 1,
      decodeContextTokens: 0,
    });
    const [early, , , last] = cost.stages.map((stage) => stage.iterationNs(shape));
    // lm_head makes the last stage the longest: the others wait for it.
    const end = 3 * (early ?? 0) + 4 * (last ?? 0);
    expect(Math.max(...sink.table('requests').map((row) => Number(row['finish_ns'])))).toBe(end);
    expect(summary.pipeline?.bubble_fraction).toBeCloseTo(
      1 - (4 * (3 * (early ?? 0) + (last ?? 0))) / (4 * end),
      9,
    );
  });

  test('every request is served with invariants after each event; more slots mean a smaller bubble', () => {
    const run = (slots: number) => {
      const spec = specOf(
        'llama-3.1-8b',
        Array.from({ length: slots }, () =>
          roofline({
            iteration_overhead_us: 100,
            pipeline: line(4, { link: { bandwidth_gb_per_s: 43, latency_us: 15 } }),
          }),
        ),
      );
      expect(runChecked(spec, crowd(60)).completed).toBe(60);
      return runSpecOn(spec, crowd(60)).summary.pipeline?.bubble_fraction ?? 1;
    };
    const [one, four] = [run(1), run(4)];
    expect(one).toBeGreaterThan(0.74);
    expect(four).toBeLessThan(0.6 * one);
  });

  test('one request alone: stages and hops in a row, pass after pass', () => {
    const own = line(2, { link: { bandwidth_gb_per_s: 43, latency_us: 20 } });
    const spec = specOf('llama-3.1-8b', [roofline({ iteration_overhead_us: 100, pipeline: own })]);
    const { sink } = runSpecOn(spec, tinyTraffic([{ at: 0, prompt: 100, output: 3 }]));
    const cost = PipelineCost.forModel(firstCost(spec), own, 'llama-3.1-8b');
    const shape = Object.assign(new IterationShape(), {
      prefillTokens: 100,
      prefillPairs: 5050,
      prefillContextTokens: 100,
      prefillSequences: 1,
      prefillEnds: 1,
      decodeContextTokens: 0,
    });
    expect(
      Math.abs(Number(sink.table('requests')[0]?.['first_token_ns']) - cost.iterationNs(shape)),
    ).toBeLessThan(3);
  });
});
