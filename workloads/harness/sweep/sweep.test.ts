import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findTarget } from '../../catalog/catalog.ts';
import { type Axis, axisOf, parseAxis } from './axis.ts';
import { dominates, paretoFront, ranks } from './pareto.ts';
import { keyOf, type PointValues, type Ranked, type SweepPoint } from './point.ts';
import { searchOf } from './search.ts';
import { planSweep } from './sweepPlan.ts';
import { type ObjectiveSpec, type SweepSpec, sweepSpec } from './sweepSpec.ts';

const router = 'labs/dynamic_router:dynamic_router';
function target() {
  const found = findTarget(router);
  if (found === undefined) throw new Error('the router lab has gone');
  return found;
}
const lower: ObjectiveSpec = { metric: 'ttft_ms.p99', per: 'run', better: 'lower' };
const higher: ObjectiveSpec = { metric: 'goodput_rps', per: 'gpu', better: 'higher' };

const sweep = (over: Partial<SweepSpec> = {}): SweepSpec =>
  sweepSpec.parse({
    schema: 1,
    target: router,
    engine: 'sim',
    variant: 'optimized',
    parameters: {},
    seed: 3,
    axes: [
      { parameter: 'instances', values: [4, 8] },
      { parameter: 'variant', values: ['baseline', 'optimized'] },
    ],
    search: { kind: 'grid' },
    objectives: [lower, higher],
    ...over,
  });

/** Tries what a search asks for on a function, and gives everything tried. */
function tryAll(
  spec: SweepSpec,
  figures: (values: PointValues) => number[],
): { tried: SweepPoint[]; batches: number } {
  const axes = spec.axes.map((a) => axisOf(a, target(), false));
  const search = searchOf(spec, axes);
  const tried: SweepPoint[] = [];
  let batches = 0;
  for (;;) {
    const asked = search.next(tried);
    if (asked.length === 0) return { tried, batches };
    batches++;
    for (const values of asked)
      tried.push({
        index: tried.length,
        values,
        objectives: figures(values),
        violation: 0,
        figures: {},
        gpus: 1,
      });
  }
}

describe('axes', () => {
  it('are written as lists and ranges', () => {
    expect(parseAxis('instances=4,8', target(), false)).toEqual({ parameter: 'instances', values: [4, 8] });
    expect(parseAxis('rate_rps=5..80:5:log', target(), false)).toEqual({
      parameter: 'rate_rps',
      min: 5,
      max: 80,
      steps: 5,
      log: true,
    });
    expect(axisOf(parseAxis('rate_rps=5..80:5:log', target(), false), target(), false).grid).toEqual([
      5, 10, 20, 40, 80,
    ]);
    expect(axisOf(parseAxis('instances=1..4:7', target(), false), target(), false).grid).toEqual([
      1, 2, 3, 4,
    ]);
  });

  it.each([
    ['nothing=1', /no such parameter/],
    ['instances=0,4', /expected a whole number, 1 \.\. 1024/],
    ['instances=8..4', /rising range/],
    ['instances=a..b', /name=min\.\.max/],
    ['instances=1..4:once', /expected a number of steps/],
    ['link_latency_us=0..10:4:log', /above 0/],
    ['variant=best', /one of baseline/],
    ['instances=', /name=a,b,c/],
    ['instances', /name=a,b,c/],
  ])('%s is refused with what was expected', (text, message) => {
    expect(() => axisOf(parseAxis(text, target(), false), target(), false)).toThrow(message);
  });

  it('positions and values lead to each other', () => {
    const spec = { parameter: 'rate_rps', min: 1, max: 1000, log: true } as const;
    const axis = axisOf(spec, target(), false);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (at) => {
        const value = axis.valueAt(at);
        expect(axis.positionOf(value)).toBeCloseTo(at, 3);
      }),
    );
  });
});

describe('searches', () => {
  it('a grid is every combination once, the last axis fastest', () => {
    const { tried } = tryAll(sweep(), () => [0, 0]);
    expect(tried.map(({ values }) => Object.values(values))).toEqual([
      [4, 'baseline'],
      [4, 'optimized'],
      [8, 'baseline'],
      [8, 'optimized'],
    ]);
  });

  it('a Latin hypercube tries each part of each axis once', () => {
    const axes: SweepSpec['axes'] = [
      { parameter: 'rate_rps', min: 1, max: 101 },
      { parameter: 'arrival_cv', min: 1, max: 11 },
    ];
    const { tried } = tryAll(sweep({ axes, search: { kind: 'random', budget: 50 } }), () => [0, 0]);
    const parts = tried.map(({ values }) => Math.min(49, Math.floor((Number(values['rate_rps']) - 1) / 2)));
    expect(new Set(parts).size).toBe(50);
  });

  it('Parzen estimators end nearer to the best than chance does, over many seeds', () => {
    const axes: SweepSpec['axes'] = [
      { parameter: 'rate_rps', min: 1, max: 100 },
      { parameter: 'arrival_cv', min: 0.1, max: 10 },
      { parameter: 'prefix_share', min: 0, max: 1 },
    ];
    const miss = (v: PointValues): number => {
      const [x, y, z] = [
        Number(v['rate_rps']) / 100,
        Number(v['arrival_cv']) / 10,
        Number(v['prefix_share']),
      ];
      return (x - 0.7) * (x - 0.7) + (y - 0.2) * (y - 0.2) + (z - 0.4) * (z - 0.4);
    };
    const best = (kind: 'random' | 'bayesian', seed: number): number => {
      const spec = sweep({ axes, seed, search: { kind, budget: 120 }, objectives: [lower] });
      return Math.min(...tryAll(spec, (v) => [miss(v)]).tried.map((p) => p.objectives[0] ?? 9));
    };
    const seeds = Array.from({ length: 12 }, (_, i) => i);
    const wins = seeds.filter((seed) => best('bayesian', seed) < best('random', seed)).length;
    expect(wins).toBeGreaterThanOrEqual(10);
  });

  it('never ask for a point twice, and stop when a small space is exhausted', () => {
    const spec = sweep({
      axes: [
        { parameter: 'instances', values: [1, 2, 3, 4, 5] },
        { parameter: 'variant', values: ['baseline', 'optimized', 'policy'] },
      ],
      search: { kind: 'bayesian', budget: 200 },
    });
    const { tried } = tryAll(spec, (v) => [Number(v['instances']), 1]);
    expect(tried).toHaveLength(15);
    expect(new Set(tried.map(({ values }) => keyOf(values))).size).toBe(15);
  });

  it('the same sweep asks for the same points', () => {
    const spec = sweep({
      axes: [{ parameter: 'rate_rps', min: 1, max: 100, log: true }],
      search: { kind: 'bayesian', budget: 40 },
      objectives: [lower],
    });
    const run = () => tryAll(spec, (v) => [Math.abs(Number(v['rate_rps']) - 30)]).tried;
    expect(run()).toEqual(run());
  });

  it('a grid over an open range says what it needs', () => {
    const axes: Axis[] = [axisOf({ parameter: 'rate_rps', min: 1, max: 2 }, target(), false)];
    expect(() => searchOf(sweep(), axes)).toThrow(/number of steps/);
  });
});

describe('the Pareto front', () => {
  const points = fc.array(
    fc.record({
      objectives: fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })),
      violation: fc.constantFrom(0, 0, 0, 0.5),
    }),
    { maxLength: 40 },
  );
  const objectives = [lower, higher];

  it('is what nobody dominates, all feasible ones and no other', () => {
    fc.assert(
      fc.property(points, (all) => {
        const front = new Set(paretoFront(all, objectives));
        all.forEach((p, i) => {
          const isBeaten = all.some((q) => dominates(q, p, objectives));
          expect(front.has(i)).toBe(p.violation === 0 && !isBeaten);
        });
      }),
    );
  });

  it('ranks agree with domination', () => {
    fc.assert(
      fc.property(points, (all) => {
        const rank = ranks(all, objectives);
        all.forEach((p, i) => {
          all.forEach((q, j) => {
            if (dominates(p, q, objectives)) expect(rank[i]).toBeLessThan(rank[j] ?? -1);
          });
        });
      }),
    );
  });

  it('a setting that cannot be run, or has no figure, is never on it', () => {
    const ok: Ranked = { objectives: [5, 5], violation: 0 };
    const failed: Ranked = { objectives: [null, null], violation: 0, error: 'no room for KV' };
    const half: Ranked = { objectives: [1, null], violation: 0 };
    expect(paretoFront([failed, ok, half], objectives)).toEqual([1]);
  });
});

describe('a plan', () => {
  it('puts the axes into run specs', () => {
    const plan = planSweep(sweep({ parameters: { requests: 100 } }));
    const spec = plan.runSpecOf({ instances: 4, variant: 'baseline' });
    expect(spec.cluster.instances).toHaveLength(4);
    expect(spec.variant).toBe('baseline');
    expect(spec.parameters['requests']).toBe(100);
    expect(spec.seed).toBe(3);
  });

  it.each([
    [{ parameters: { instances: 4 } }, /an axis of the sweep and given a value/],
    [{ parameters: { nothing: 4 } }, /none of that name/],
    [{ target: 'none' }, /not in the catalogue/],
    [{ objectives: [{ metric: 'beauty', per: 'run', better: 'higher' }] }, /not in the registry/],
    [{ objectives: [{ metric: 'ttft_ms', per: 'run', better: 'lower' }] }, /ttft_ms\.p99/],
    [
      {
        axes: [
          { parameter: 'instances', values: [1] },
          { parameter: 'instances', values: [2] },
        ],
      },
      /given twice/,
    ],
  ] as const)('refuses %j', (over, message) => {
    expect(() => planSweep(sweep(over as Partial<SweepSpec>))).toThrow(message);
  });

  it('counts how far constraints are missed, as shares of their limits', () => {
    const plan = planSweep(
      sweep({ constraints: [{ metric: 'ttft_ms.p99', per: 'run', op: '<=', value: 200 }] }),
    );
    const values = { instances: 4, variant: 'baseline' };
    const run = plan.runSpecOf(values);
    const ttft = { n: 1, mean: 1, min: 1, p50: 1, p90: 1, p95: 1, p99: 300, max: 300 };
    const summary = { metrics: { ttft_ms: ttft }, goodput_rps: 8, throughput_rps: 9 };
    // Only what is asked for is read.
    const point = plan.pointOf(0, values, run, summary as never);
    expect(point.objectives).toEqual([300, 2]);
    expect(point.violation).toBeCloseTo(0.5);
    expect(point.gpus).toBe(4);
  });
});
