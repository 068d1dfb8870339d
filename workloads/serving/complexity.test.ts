import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findTarget } from '../catalog/catalog.ts';
import { runSpecOn, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import type { ComplexitySpec } from '../run/complexitySpec.ts';
import { type RunSpec, runSpec } from '../run/spec.ts';
import { generate } from '../traffic/generate.ts';
import { ComplexityColumns } from './complexity.ts';

const ladder = ['llama-3.2-1b', 'llama-3.1-8b', 'llama-3.1-70b'];
const base: ComplexitySpec = {
  ladder,
  mix: [0.6, 0.3, 0.1],
  length_correlation: 0.3,
  classifier: { kind: 'oracle' },
};
const lengths = (n: number) =>
  tinyTraffic(Array.from({ length: n }, (_, i) => ({ at: i, prompt: 1 + ((i * 7919) % 5000), output: 1 })));
const columns = (given: Partial<ComplexitySpec>, n = 20_000) =>
  new ComplexityColumns({ ...base, ...given }, lengths(n), 1, 0);
const count = (classes: Uint8Array, c: number) => classes.filter((each) => each === c).length;

describe('hidden classes', () => {
  test('have exactly the shares asked for, whatever lengths have to do with them', () => {
    for (const length_correlation of [0, 0.3, 1]) {
      const { truth } = columns({ length_correlation });
      expect([0, 1, 2].map((c) => count(truth, c))).toEqual([12_000, 6_000, 2_000]);
    }
  });

  test('follow the lengths fully at correlation 1, not at all at 0', () => {
    const traffic = lengths(20_000);
    const mean = (truth: Uint8Array, c: number) => {
      const of = [...traffic.promptTokens].filter((_, r) => truth[r] === c);
      return of.reduce((sum, tokens) => sum + tokens, 0) / of.length;
    };
    const full = columns({ length_correlation: 1 }).truth;
    const longest = Math.max(...[...traffic.promptTokens].filter((_, r) => full[r] === 0));
    const shortest = Math.min(...[...traffic.promptTokens].filter((_, r) => full[r] === 1));
    expect(longest).toBeLessThanOrEqual(shortest);
    const none = columns({ length_correlation: 0 }).truth;
    expect(mean(none, 2) / mean(none, 0)).toBeCloseTo(1, 1);
  });
});

describe('classifiers', () => {
  test('a noisy one is right as often as it says, and wrong in every direction', () => {
    const { truth, seen } = columns({ classifier: { kind: 'noisy', accuracy: 0.8 } });
    const right = truth.filter((c, r) => c === seen[r]).length / truth.length;
    // Four standard deviations of a share of 20,000.
    expect(Math.abs(right - 0.8)).toBeLessThan(4 * Math.sqrt((0.8 * 0.2) / 20_000));
    for (const c of [0, 1, 2]) {
      const said = new Set([...seen].filter((_, r) => truth[r] === c));
      expect([...said].sort()).toEqual([0, 1, 2]);
    }
  });

  test('by length: thresholds belong to the larger model', () => {
    const traffic = tinyTraffic([99, 100, 999, 1000].map((prompt) => ({ at: 0, prompt, output: 1 })));
    const spec: ComplexitySpec = { ...base, classifier: { kind: 'length', from_tokens: [100, 1000] } };
    expect([...new ComplexityColumns(spec, traffic, 1, 0).seen]).toEqual([0, 1, 1, 2]);
  });

  test('none: everything counts as the hardest', () => {
    expect(new Set(columns({ classifier: { kind: 'none' } }).seen)).toEqual(new Set([2]));
  });
});

/** One instance of each size, 1 ms per prompt token. */
function tiny(
  given: Partial<ComplexitySpec>,
  parameters = {},
  instances: readonly string[] = ladder,
): RunSpec {
  const spec = tinySpec({
    instances: instances.map(() => ({})),
    router: 'complexity',
    routerParameters: parameters,
    slo: { ttft_ms: 1000, tpot_ms: 1000 },
  });
  return runSpec.parse({
    ...spec,
    cluster: {
      ...spec.cluster,
      instances: spec.cluster.instances.map((instance, i) => ({ ...instance, model: instances[i] })),
    },
    policy: { ...spec.policy, complexity: { ...base, ...given } },
  });
}
const byLength: Partial<ComplexitySpec> = { classifier: { kind: 'length', from_tokens: [100, 200] } };

describe('the router', () => {
  const placed = (spec: RunSpec, prompts: readonly number[], gap = 5000) =>
    runSpecOn(spec, tinyTraffic(prompts.map((prompt, i) => ({ at: i * gap, prompt, output: 1 }))))
      .sink.table('requests')
      .sort((a, b) => Number(a['request']) - Number(b['request']))
      .map((row) => row['prefill_instance']);

  test('takes the smallest model that is said to be enough', () => {
    expect(placed(tiny(byLength), [50, 150, 250])).toEqual([0, 1, 2]);
  });

  test('goes up a size where the queue is longer than that is worth, and never down', () => {
    // All at once: at price 0.2 the small model's queue may be 200 ms longer than the medium one's.
    expect(placed(tiny(byLength, { size_price: 0.2 }), [90, 90, 90, 90, 90], 0)).toEqual([0, 0, 0, 1, 0]);
    expect(placed(tiny(byLength, { size_price: 100 }), [90, 90, 90, 90, 90], 0)).toEqual([0, 0, 0, 0, 0]);
    expect(placed(tiny(byLength, { size_price: 0.2 }), [250, 250, 250, 250], 0)).toEqual([2, 2, 2, 2]);
  });

  test('without a classifier everything goes to the largest', () => {
    expect(placed(tiny({ classifier: { kind: 'none' } }), [50, 150])).toEqual([2, 2]);
  });
});

describe('figures', () => {
  test('add up with the rows, for any classifier and fleet', () => {
    const fleets = fc.constantFrom<readonly string[]>(
      ladder,
      [...ladder, ...ladder],
      ['llama-3.1-70b'],
      ['llama-3.2-1b', 'llama-3.1-70b'],
    );
    const classifiers = fc.constantFrom<ComplexitySpec['classifier']>(
      { kind: 'none' },
      { kind: 'oracle' },
      { kind: 'noisy', accuracy: 0.5 },
      { kind: 'length', from_tokens: [20, 60] },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 90 })), {
          minLength: 1,
          maxLength: 40,
        }),
        fleets,
        classifiers,
        (drawn, fleet, classifier) => {
          let at = 0;
          const traffic = tinyTraffic(
            drawn.map(([gap, prompt]) => {
              at += gap;
              return { at, prompt, output: 3 };
            }),
          );
          const { summary, sink } = runSpecOn(tiny({ classifier }, {}, fleet), traffic);
          const rows = sink.table('requests');
          const rank = (name: number | string | undefined) => ladder.indexOf(String(name));
          const adequate = rows.filter((row) => rank(row['model']) >= rank(row['needs'])).length;
          expect(summary.quality?.adequate_share).toBeCloseTo(adequate / rows.length, 12);
          const { models = [], classes = [] } = summary.quality ?? {};
          expect(models.reduce((sum, m) => sum + m.completed, 0)).toBe(rows.length);
          expect(classes.reduce((sum, c) => sum + c.adequate, 0)).toBe(adequate);
          // What the classifier says is kept to, as far as there is a model of that size.
          const top = Math.max(...fleet.map(rank));
          for (const row of rows) {
            expect(rank(row['model'])).toBeGreaterThanOrEqual(Math.min(rank(row['classified']), top));
          }
        },
      ),
      { numRuns: 80, endOnFailure: true },
    );
  });

  test('a KV cache fits one model: pools and routers that move requests are refused', () => {
    const spec = tiny(byLength);
    const traffic = tinyTraffic([{ at: 0, prompt: 10, output: 1 }]);
    const pools = spec.cluster.instances.map((instance, i) => ({
      ...instance,
      pool: i === 0 ? ('prefill' as const) : ('decode' as const),
    }));
    expect(() => runSpecOn({ ...spec, cluster: { ...spec.cluster, instances: pools } }, traffic)).toThrow(
      'i0 is a prefill instance among several models',
    );
    expect(() => runSpecOn({ ...spec, policy: { ...spec.policy, router: 'score' } }, traffic)).toThrow(
      'several models together with router score that moves requests',
    );
    const short = { ...base, ladder: ladder.slice(0, 2), mix: [1, 1] };
    expect(() => runSpecOn({ ...spec, policy: { ...spec.policy, complexity: short } }, traffic)).toThrow(
      'without llama-3.1-70b of instance i2',
    );
  });
});

test('ch17:dynamic_routing: the same GPUs carry more, at the price of a few answers', () => {
  const target = findTarget('ch17:dynamic_routing');
  if (target === undefined) throw new Error('not in the catalogue');
  const run = (variant: string) => {
    const spec = target.spec({
      variant,
      engine: 'sim',
      parameters: { duration_s: 200 },
      seed: 0,
      iterations: 1,
    });
    if (spec.traffic.kind === 'trace') throw new Error('no file was given');
    return runSpecOn(spec, generate(spec.traffic, 0)).summary;
  };
  const baseline = run('baseline');
  const optimized = run('optimized');
  expect(optimized.goodput_rps ?? 0).toBeGreaterThan(1.3 * (baseline.goodput_rps ?? 0));
  expect(baseline.quality?.adequate_share).toBe(1);
  expect(optimized.quality?.adequate_share).toBeGreaterThan(0.95);
  expect(optimized.quality?.adequate_share).toBeLessThan(1);
});
