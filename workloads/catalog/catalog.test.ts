import { describe, expect, test } from 'vitest';
import { runSpecOn } from '../engines/sim/tinyRun.ts';
import { InputError } from '../run/inputError.ts';
import { modelled } from '../run/instanceSpec.ts';
import { runSpec } from '../run/spec.ts';
import { generate } from '../traffic/generate.ts';
import { catalog, findTarget } from './catalog.ts';
import { inferencePlacement } from './inferencePlacement.ts';
import { findKernelTarget } from './kernelTargets.ts';
import { pipelineParallelism } from './pipelineParallelism.ts';
import { publishedNames } from './publishedNames.ts';
import { completeValues, parseValue } from './values.ts';
import { verifyRequests } from './verifyRequests.ts';

const router = findTarget('labs/dynamic_router:dynamic_router');
if (router === undefined) throw new Error('the router lab is not in the catalogue');

const specOf = (variant: string, parameters: Record<string, number | string | boolean> = {}) =>
  router.spec({ variant, engine: 'sim', parameters, seed: 0, iterations: 1 });

describe('every target', () => {
  test.each(catalog.map((t) => t.id))('%s is complete', (id) => {
    const target = findTarget(id);
    if (target === undefined) throw new Error(id);
    const ids = target.parameters.map((p) => p.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const parameter of target.parameters) {
      expect(parameter.id).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(parameter.help.length, parameter.id).toBeGreaterThan(10);
      expect(() => completeValues([parameter], { [parameter.id]: parameter.default })).not.toThrow();
      if (parameter.when !== undefined) expect(ids).toContain(parameter.when.parameter);
      for (const variant of parameter.variants ?? []) {
        expect(target.variants.map((v) => v.id)).toContain(variant);
      }
    }
    for (const variant of target.variants) {
      const spec = target.spec({
        variant: variant.id,
        engine: 'sim',
        parameters: {},
        seed: 1,
        iterations: 1,
      });
      expect(runSpec.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
    }
  });
});

describe('published names', () => {
  test('find a target that is there, with variants and parameters that it has', () => {
    const ids = [...catalog.map(({ id }) => id), ...publishedNames.map(({ id }) => id)];
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, target, variants = ['baseline', 'optimized'], parameters = {} } of publishedNames) {
      const found = findTarget(id);
      expect(found?.id, id).toBe(target);
      for (const variant of variants)
        expect(() =>
          found?.spec({ variant, engine: 'sim', parameters, seed: 0, iterations: 1 }),
        ).not.toThrow();
      for (const variant of variants)
        expect(
          found?.variants.map((v) => v.id),
          id,
        ).toContain(variant);
    }
  });

  // Every pair and lab of the published chapters.
  test.each([
    ...[
      'continuous_batching',
      'disaggregated_inference',
      'disaggregated_inference_multigpu',
      'guided_decoding',
    ],
    ...['inference_monolithic', 'inference_placement', 'kv_cache_management', 'kv_cache_management_math'],
    ...[
      'kv_cache_local_only',
      'kv_cache_nvlink_pool',
      'moe_inference',
      'moe_overlap',
      'moe_overlap_shared_expert',
    ],
    ...['moe_routing_simple', 'moe_routing_simple_topology_aware', 'prefill_decode_disagg'],
    ...['speculative_decoding', 'wide_ep'],
  ])('ch15:%s', (name) => expect(findTarget(`ch15:${name}`)).toBeDefined());
  test.each([
    ...[
      'dynamic_routing',
      'early_rejection',
      'inference_full',
      'moe_router_uniform',
      'moe_router_uniform_topology',
    ],
    ...['pipeline_parallelism', 'prefill_decode_disagg', 'prefill_decode_disagg_multigpu'],
    ...['prefill_decode_disagg_overlap', 'prefill_decode_disagg_batched', 'prefill_decode_disagg_ttft'],
    ...['prefill_decode_disagg_tpot_long'],
  ])('ch17:%s', (name) => expect(findTarget(`ch17:${name}`)).toBeDefined());
  test.each(['ch17:memory', 'ch17:routing_static', 'labs/dynamic_router:topology_probe'])('%s', (id) =>
    expect(findKernelTarget(id)).toBeDefined(),
  );
  test.each(['dynamic_router', 'dynamic_router_vllm', 'dual_pool', 'dual_pool_vllm'])(
    'labs/dynamic_router:%s',
    (name) => expect(findTarget(`labs/dynamic_router:${name}`)).toBeDefined(),
  );

  test('recorded expert loads take the place of the skew, and must be one per expert', () => {
    const target = findTarget('ch15:moe_inference');
    const specWith = (expert_loads: string) =>
      target?.spec({
        variant: 'optimized',
        engine: 'sim',
        parameters: { gate: 'recorded', expert_loads },
        seed: 0,
        iterations: 1,
      });
    const first = specWith('8,1,1,1,1,1,1,2')?.cluster.instances[0];
    const cost = first?.serves === 'modelled' ? first.cost : undefined;
    expect(cost?.kind === 'roofline' ? cost.moe?.gate : undefined).toEqual({
      kind: 'histogram',
      loads: [8, 1, 1, 1, 1, 1, 1, 2],
    });
    expect(() => specWith('1,2,3')).toThrow('parameter expert_loads: 3 values, expected 8 numbers from 0');
    expect(() => specWith('0,0,0,0,0,0,0,0')).toThrow('not all 0');
  });
});

describe('the router lab', () => {
  test('without a file, the score beats round robin on the built-in hour', () => {
    const run = (variant: string) => {
      const spec = specOf(variant, { requests: 2000 });
      if (spec.traffic.kind === 'trace') throw new Error('no file was given');
      return runSpecOn(spec, generate(spec.traffic, 0)).summary;
    };
    const baseline = run('baseline');
    const optimized = run('optimized');
    expect(optimized.metrics.ttft_ms?.p95 ?? Number.NaN).toBeLessThan(
      0.8 * (baseline.metrics.ttft_ms?.p95 ?? 0),
    );
    expect(optimized.requests.completed).toBe(2000);
  });

  test('wrong values are refused with what was expected', () => {
    expect(() => specOf('baseline', { instances: 0 })).toThrow(
      'parameter instances: 0, expected a whole number, 1 .. 1024 instances',
    );
    expect(() => specOf('baseline', { gpu: 'h300' })).toThrow(InputError);
    expect(() => specOf('baseline', { colour: 'red' })).toThrow('parameter colour: this target has none');
    expect(() => specOf('fastest')).toThrow('not one of baseline, optimized, as_published, policy');
    expect(() => specOf('baseline', { model: 'llama-3.1-70b', gpu: 'l40s' })).toThrow('no room for KV');
    expect(() => specOf('as_published', { instances: 2 })).toThrow('leave none to decode');
  });

  test('text from a command line becomes the parameter’s kind', () => {
    const of = (id: string) => {
      const found = router.parameters.find((p) => p.id === id);
      if (found === undefined) throw new Error(id);
      return found;
    };
    expect(parseValue(of('instances'), '16')).toBe(16);
    expect(parseValue(of('prefix_reuse'), 'false')).toBe(false);
    expect(parseValue(of('gpu'), 'b200')).toBe('b200');
    expect(() => parseValue(of('instances'), '1.5')).toThrow('a whole number');
    expect(() => parseValue(of('instances'), '')).toThrow('a whole number');
  });
});

describe('verification', () => {
  const table = (rows: readonly (readonly [number, number, string, number, number])[]) => ({
    rows: rows.length,
    iteration: rows.map((r) => r[0]),
    request: rows.map((r) => r[1]),
    status: rows.map((r) => r[2]),
    prompt_tokens: rows.map((r) => r[3]),
    output_tokens: rows.map((r) => r[4]),
  });
  const a = table([
    [0, 0, 'completed', 10, 5],
    [0, 1, 'completed', 20, 6],
  ]);

  test('the same requests in another order pass', () => {
    const b = table([
      [0, 1, 'completed', 20, 6],
      [0, 0, 'rejected', 10, 5],
    ]);
    expect(verifyRequests(a, b).status).toBe('passed');
  });

  test('a changed length, a missing and a doubled row fail, and are named', () => {
    const changed = verifyRequests(
      a,
      table([
        [0, 0, 'completed', 10, 5],
        [0, 1, 'completed', 20, 7],
      ]),
    );
    expect(changed).toMatchObject({ status: 'failed' });
    expect(changed.detail).toContain('request 1 of replicate 0: output_tokens 6');
    expect(verifyRequests(a, table([[0, 0, 'completed', 10, 5]])).status).toBe('failed');
    expect(
      verifyRequests(
        a,
        table([
          [0, 0, 'completed', 10, 5],
          [0, 0, 'completed', 10, 5],
        ]),
      ).status,
    ).toBe('failed');
  });
});

describe('cost models by parameters', () => {
  const spec = (
    parameters: Record<string, string | number | boolean>,
    id = 'serving:scheduling',
    variant?: string,
  ) => {
    const target = findTarget(id);
    if (target === undefined) throw new Error(id);
    return target.spec({
      engine: 'sim',
      parameters,
      variant: variant ?? target.variants[0]?.id ?? '',
      seed: 0,
      iterations: 1,
    });
  };
  const tables = { cost_model: 'operators', operator_tables: '/tables' };

  test('operator tables of a group: the link becomes its all-reduce', () => {
    expect(() => spec({ ...tables, tensor_parallel: 2 })).toThrow(
      /operator_link_gb_per_s: 0, expected the link/,
    );
    const { cost } =
      spec({ ...tables, tensor_parallel: 2, operator_link_gb_per_s: 50 }).cluster.instances.map(
        modelled,
      )[0] ?? {};
    expect(cost).toMatchObject({ tensor_parallel: 2, all_reduce: { bandwidth_gb_per_s: 50, latency_us: 5 } });
  });

  test('operator tables of data-parallel experts: groups of as many instances', () => {
    const moe = { ...tables, model: 'qwen3-30b-a3b', kv_memory: 'given', operator_link_gb_per_s: 50 };
    const { instances } = spec({
      ...moe,
      instances: 4,
      operator_data_ranks: 2,
      operator_expert_ranks: 2,
    }).cluster;
    expect(
      instances.map(modelled).map(({ cost }) => cost.kind === 'operators' && cost.experts?.group),
    ).toEqual(['engine-0', 'engine-0', 'engine-1', 'engine-1']);
    expect(() => spec({ ...moe, instances: 3, operator_data_ranks: 2 })).toThrow(
      /a divisor of the 3 instances/,
    );
    expect(() => spec({ ...tables, operator_data_ranks: 2, operator_link_gb_per_s: 9 })).toThrow(
      /has no experts/,
    );
  });

  test('a decode pool may have coefficients of its own', () => {
    const { instances } = spec(
      { cost_model: 'linear', linear_pools: 'apart', decode_base_us: 7, linear_base_us: 3 },
      'ch17:prefill_decode_disagg',
      'optimized',
    ).cluster;
    const base = (pool: string) =>
      new Set(
        instances
          .map(modelled)
          .flatMap((i) => (i.pool === pool && i.cost.kind === 'linear' ? [i.cost.base_us] : [])),
      );
    expect([base('prefill'), base('decode')]).toEqual([new Set([3]), new Set([7])]);
  });
});

test('what the targets with groups of GPUs use is the ring that was measured', () => {
  for (const target of [inferencePlacement, pipelineParallelism]) {
    const values = Object.fromEntries(target.parameters.map((p) => [p.id, p.default]));
    for (const { id } of target.variants) {
      for (const { cost } of target
        .spec({
          engine: 'sim',
          parameters: values,
          variant: id,
          seed: 0,
          iterations: 1,
        })
        .cluster.instances.map(modelled)) {
        if (cost.kind === 'roofline' && cost.all_reduce !== undefined)
          expect(cost.all_reduce.among).toEqual(['ring']);
      }
    }
  }
});
