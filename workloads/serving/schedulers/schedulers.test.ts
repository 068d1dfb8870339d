import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Replicate } from '../../cluster/replicate.ts';
import { invariantsOf } from '../../engines/sim/invariants.ts';
import { simReplicate } from '../../engines/sim/simReplicate.ts';
import {
  KeepingSink,
  runSpecOn,
  type TinyCluster,
  tinySpec,
  tinyTraffic,
} from '../../engines/sim/tinyRun.ts';
import { Recorder } from '../../record/recorder.ts';
import type { OrderSpec, PreemptionSpec, SchedulerPolicySpec } from '../../run/schedulerSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { schedulers } from './schedulers.ts';

const blockTokens = 4;

const requests = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 500 }),
    turns: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 5 }),
    last: fc.integer({ min: 1, max: blockTokens }),
    output: fc.integer({ min: 1, max: 30 }),
  }),
  { minLength: 1, maxLength: 40 },
);
type Drawn = typeof requests extends fc.Arbitrary<infer T> ? T : never;

function trafficOf(drawn: Drawn): Traffic {
  let at = 0;
  return tinyTraffic(
    drawn.map((r) => {
      at += r.gap;
      let node = 0;
      const ids = r.turns.map((turn) => {
        node = 2 * node + 1 + turn;
        return node;
      });
      return { at, prompt: (r.turns.length - 1) * blockTokens + r.last, output: r.output, ids };
    }),
    blockTokens,
  );
}

const order: fc.Arbitrary<OrderSpec> = fc.oneof(
  fc.constant({ kind: 'fcfs' } as const),
  fc.record({ kind: fc.constant('shortest_prompt' as const), aging: fc.constantFrom(0, 0.5) }),
  fc.record({
    kind: fc.constant('shortest_job' as const),
    aging: fc.constantFrom(0, 1),
    predictor_error: fc.constant(0.5),
  }),
  fc.record({ kind: fc.constant('oracle_shortest_job' as const), aging: fc.constant(0) }),
  fc.record({ kind: fc.constant('earliest_deadline' as const), late_last: fc.boolean() }),
  fc.record({ kind: fc.constant('least_slack' as const), late_last: fc.boolean() }),
  fc.constant({ kind: 'class_priority' } as const),
);

const preemption: fc.Arbitrary<PreemptionSpec> = fc.oneof(
  fc.constant({ kind: 'recompute' } as const),
  fc.record({
    kind: fc.constant('swap' as const),
    bandwidth_gb_per_s: fc.constantFrom(0.001, 1, 25),
    latency_us: fc.constantFrom(0, 100),
    // 131,072 bytes per token, four tokens per block: room for 1, 7 or thousands of blocks.
    host_gb: fc.constantFrom(0.0006, 0.004, 10),
  }),
);

const classes = [
  { name: 'critical', share: 1, ttft_ms: 50, pass_ms: 150 },
  { name: 'sensitive', share: 3, ttft_ms: 200, pass_ms: 400 },
  { name: 'batch', share: 6, ttft_ms: 5000 },
];

const continuous: fc.Arbitrary<SchedulerPolicySpec> = fc.record({
  kind: fc.constantFrom('chunked_prefill' as const, 'prefill_first' as const),
  order,
  preemption,
  classes: fc.constant(classes),
});

const staticBatching: fc.Arbitrary<SchedulerPolicySpec> = fc
  .record({
    batch: fc.integer({ min: 1, max: 6 }),
    wait_ms: fc.constantFrom(0, 300, 5000),
    bucketed: fc.boolean(),
  })
  .map(({ batch, wait_ms, bucketed }) => ({
    kind: 'static',
    batch,
    wait_ms,
    ...(bucketed
      ? {
          buckets: {
            predictor_error: 0.5,
            list: [
              { name: 'easy', up_to_tokens: 8, batch: 6 },
              { name: 'hard', up_to_tokens: 20, batch: 2 },
            ],
          },
        }
      : {}),
  }));

const anyPolicy = fc.oneof(continuous, staticBatching);
const cluster = fc.record({
  instances: fc.integer({ min: 1, max: 2 }),
  blocks: fc.integer({ min: 13, max: 40 }),
  budget: fc.constantFrom(8, 16, 64),
  sequences: fc.integer({ min: 1, max: 8 }),
  reuse: fc.boolean(),
});

function specOf(
  policy: SchedulerPolicySpec,
  c: typeof cluster extends fc.Arbitrary<infer T> ? T : never,
): RunSpec {
  const tiny: TinyCluster = {
    instances: Array.from({ length: c.instances }, (_, i) => ({ blocks: c.blocks, decode: 20 + 10 * i })),
    budget: c.budget,
    sequences: c.sequences,
    blockTokens,
    reuse: c.reuse,
    slo: { ttft_ms: 200, tpot_ms: 150 },
  };
  return withPolicy(tinySpec(tiny), policy);
}

const withPolicy = (spec: RunSpec, policy: SchedulerPolicySpec): RunSpec => ({
  ...spec,
  cluster: { ...spec.cluster, scheduler: { ...spec.cluster.scheduler, policy } },
});

const replicateOf = (spec: RunSpec, traffic: Traffic): Replicate =>
  simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});

describe('continuous schedulers where requests move', () => {
  const moving = fc.record({
    roles: fc.constantFrom(['prefill', 'decode'] as const, ['mixed', 'mixed', 'mixed'] as const),
    blocks: fc.integer({ min: 13, max: 30 }),
    link: fc.constantFrom(0.001, 0.1, 10),
    handOff: fc.constantFrom('never', 'conditional'),
  });

  test('over hand-overs and migrations too: every invariant, and gaps that add up', () => {
    fc.assert(
      fc.property(requests, continuous, moving, (drawn, policy, m) => {
        const base = tinySpec({
          instances: m.roles.map((pool, i) => ({ pool, blocks: m.blocks, decode: 20 + 10 * i })),
          budget: 16,
          sequences: 8,
          blockTokens,
          router: 'score',
          linkGbPerS: m.link,
          slo: { ttft_ms: 200, tpot_ms: 150 },
          routerParameters: {
            hand_off: m.handOff,
            migration_gap: 0.05,
            hysteresis: 0,
            migration_cooldown_ms: 100,
          },
        });
        const replicate = replicateOf(withPolicy(base, policy), trafficOf(drawn));
        replicate.onEvent = invariantsOf(replicate);
        expect(replicate.advance(Number.POSITIVE_INFINITY, 5_000)).toBe(true);
        expect(replicate.completed).toBe(drawn.length);
        const { finishNs, firstTokenNs } = replicate.requests;
        const total = finishNs.reduce((sum, finish, r) => sum + finish - (firstTokenNs[r] ?? 0), 0) / 1e6;
        const gaps = replicate.itlMs;
        expect(gaps.n === 0 ? 0 : (gaps.distribution()?.mean ?? 0) * gaps.n).toBeCloseTo(total, 3);
        expect(replicate.requests.keptGaps.size).toBe(0);
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });
});

describe('any scheduler, any requests', () => {
  test('keep every invariant after every event, and finish', () => {
    fc.assert(
      fc.property(requests, anyPolicy, cluster, (drawn, policy, c) => {
        const traffic = trafficOf(drawn);
        const replicate = replicateOf(specOf(policy, c), traffic);
        replicate.onEvent = invariantsOf(replicate);
        expect(replicate.advance(Number.POSITIVE_INFINITY, 5_000)).toBe(true);
        expect(replicate.completed).toBe(traffic.requests);
        const produced = replicate.instances.reduce((sum, i) => sum + i.counters.outputTokensDone, 0);
        expect(produced).toBe([...traffic.outputTokens].reduce((a, b) => a + b, 0));
        expect(replicate.itlMs.n).toBe(produced - traffic.requests);
        for (const instance of replicate.instances) {
          expect(instance.pool.used).toBe(0);
          expect(instance.pendingPrefill).toBe(0);
          const { swap } = instance;
          if (swap === undefined) continue;
          expect(swap.ins).toBe(swap.outs);
          expect(swap.usedBlocks).toBe(0);
        }
      }),
      { numRuns: 300, endOnFailure: true },
    );
  });

  test('the gaps between tokens add up: the pooled mean is Σ (last − first) ÷ gaps', () => {
    fc.assert(
      fc.property(requests, anyPolicy, cluster, (drawn, policy, c) => {
        const replicate = replicateOf(specOf(policy, c), trafficOf(drawn));
        replicate.advance(Number.POSITIVE_INFINITY, 5_000);
        const { finishNs, firstTokenNs } = replicate.requests;
        const total = finishNs.reduce((sum, finish, r) => sum + finish - (firstTokenNs[r] ?? 0), 0) / 1e6;
        const gaps = replicate.itlMs;
        expect(gaps.n === 0 ? 0 : (gaps.distribution()?.mean ?? 0) * gaps.n).toBeCloseTo(total, 3);
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  test('looking at the instances more often changes nothing', () => {
    fc.assert(
      fc.property(requests, anyPolicy, cluster, (drawn, policy, c) => {
        const times = (curious: boolean) => {
          const replicate = replicateOf(specOf(policy, c), trafficOf(drawn));
          if (curious) {
            replicate.onEvent = () => {
              for (const instance of replicate.instances) instance.advanceTo(replicate.clock);
            };
          }
          replicate.advance(Number.POSITIVE_INFINITY, 5_000);
          return [...replicate.requests.finishNs, ...replicate.requests.firstTokenNs];
        };
        expect(times(true)).toEqual(times(false));
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  test('the same spec gives the same bytes', () => {
    fc.assert(
      fc.property(requests, anyPolicy, cluster, (drawn, policy, c) => {
        const [one, two] = [1, 2].map(() => runSpecOn(specOf(policy, c), trafficOf(drawn)));
        expect(JSON.stringify(two?.summary)).toBe(JSON.stringify(one?.summary));
        for (const table of ['requests', 'iterations', 'kv']) {
          expect(JSON.stringify(two?.sink.table(table))).toBe(JSON.stringify(one?.sink.table(table)));
        }
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
});

/** ns in which at least one request was in the system. */
function timeWithWork(replicate: Replicate): number {
  const { arrivalNs } = replicate.requests.traffic;
  const { finishNs } = replicate.requests;
  let total = 0;
  let until = 0;
  for (let r = 0; r < arrivalNs.length; r++) {
    // Arrivals are in order; a request that outlives later ones keeps the interval open.
    const from = Math.max(until, arrivalNs[r] ?? 0);
    const end = Math.max(until, finishNs[r] ?? 0);
    total += Math.max(0, end - from);
    until = Math.max(until, end);
  }
  return total;
}

describe('work conservation: one instance is busy exactly while a request is there', () => {
  const busy = (policy: SchedulerPolicySpec, drawn: Drawn, c: Parameters<typeof specOf>[1]) => {
    const replicate = replicateOf(specOf(policy, { ...c, instances: 1 }), trafficOf(drawn));
    replicate.advance(Number.POSITIVE_INFINITY, 5_000);
    return { busy: replicate.instances[0]?.counters.busyNs ?? 0, work: timeWithWork(replicate) };
  };

  test('holds to the nanosecond for the continuous schedulers', () => {
    expect(schedulers.filter((s) => s.conservesWork).map((s) => s.id)).toEqual([
      'chunked_prefill',
      'prefill_first',
    ]);
    fc.assert(
      fc.property(requests, continuous, cluster, (drawn, policy, c) => {
        const { busy: is, work } = busy(policy, drawn, c);
        expect(is).toBe(work);
      }),
      { numRuns: 300, endOnFailure: true },
    );
  });

  test('static batching waits for company, and then computes rows that nobody wants', () => {
    const c = { instances: 1, blocks: 40, budget: 64 as const, sequences: 8, reuse: false };
    const two = [
      { gap: 0, turns: [0], last: 4, output: 2 },
      { gap: 100, turns: [0], last: 4, output: 9 },
    ];
    const waits = busy({ kind: 'static', batch: 4, wait_ms: 500 }, two, c);
    expect(waits.work - waits.busy).toBe(500e6);
    const drains = busy({ kind: 'static', batch: 4, wait_ms: 0 }, two, c);
    expect(drains.busy).toBe(drains.work);
  });
});
