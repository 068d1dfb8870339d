import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { invariantsOf } from '../engines/sim/invariants.ts';
import { simReplicate } from '../engines/sim/simReplicate.ts';
import { KeepingSink, runSpecOn, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import { Recorder } from '../record/recorder.ts';
import { routers } from '../routing/routers.ts';
import type { KvTiersSpec } from '../run/kvSpec.ts';
import { type RunSpec, runSpec } from '../run/spec.ts';
import type { TimelineEvent } from '../run/timelineSpec.ts';
import { Phase } from '../serving/requestTable.ts';

// Any timeline on any small cluster: what must hold after every event holds, and nothing is lost or counted twice.

const roles = fc.constantFrom(
  ['mixed', 'mixed', 'mixed'] as const,
  ['prefill', 'decode', 'decode'] as const,
  ['prefill', 'prefill', 'decode', 'mixed'] as const,
);

const event: fc.Arbitrary<TimelineEvent> = fc
  .record({
    at_s: fc.integer({ min: 0, max: 80 }).map((n) => n / 10),
    instance: fc.integer({ min: 0, max: 2 }),
    kind: fc.constantFrom('crash', 'crash', 'recover', 'slow', 'link', 'drain', 'resume', 'role'),
    number: fc.constantFrom(0.3, 1, 2.5),
    pool: fc.constantFrom('prefill', 'decode', 'mixed'),
  })
  .map(({ at_s, instance, kind, number, pool }): TimelineEvent => {
    if (kind === 'recover') return { event: kind, at_s, instance, startup_s: number };
    if (kind === 'slow' || kind === 'link') return { event: kind, at_s, instance, factor: number };
    if (kind === 'role') return { event: kind, at_s, instance, pool };
    return { event: kind, at_s, instance };
  });

const cluster = fc.record({
  roles,
  timeline: fc.array(event, { minLength: 1, maxLength: 12 }),
  blocks: fc.integer({ min: 13, max: 40 }),
  budget: fc.constantFrom(8, 16, 64),
  sequences: fc.integer({ min: 1, max: 8 }),
  reuse: fc.boolean(),
  router: fc.constantFrom(...routers.map((r) => r.id)),
  refresh: fc.constantFrom(0, 50, 700),
  link: fc.constantFrom(0.0003, 0.01, 10),
  detection: fc.constantFrom(0, 0.3, 2),
  breaker: fc.constantFrom(0, 1, 3),
  transfer: fc.constantFrom(
    { kind: 'per_request' } as const,
    { kind: 'blocking' } as const,
    { kind: 'batched', window_ms: 30, requests: 3 } as const,
    { kind: 'layerwise', layers: 4 } as const,
  ),
  conditional: fc.constantFrom(undefined, { max_local_tokens: 8, max_prefill_queue: 1 }),
  rebalance: fc.constantFrom(undefined, { interval_s: 0.5, high: 0.5, low: 0.4, checks: 2, cooldown_s: 1 }),
  admission: fc.constantFrom(
    undefined,
    'early_rejection',
    'predicted_rejection',
    'late_rejection',
    'slo_tiers',
  ),
  swap: fc.boolean(),
  eviction: fc.constantFrom(undefined, 'lfu' as const),
  tiers: fc.constantFrom(undefined, tiersOf('host', false), tiersOf('host', true), tiersOf('peer', true)),
  scaled: fc.constantFrom(undefined, 'load' as const, 'sla' as const),
});

function tiersOf(kind: 'host' | 'peer', shared: boolean): KvTiersSpec {
  const level = { kind, blocks: 8, shared, link: 'instance', latency_us: 0, decode_share: 0.3 } as const;
  return {
    node_instances: 3,
    levels: [{ ...level, read_gb_per_s: 0.01, write_gb_per_s: 0.1 }],
    write: 'back',
    overflow: 'drop',
    load: 'fetch',
    staging_gb: 1,
  };
}
const preemption = { kind: 'swap', bandwidth_gb_per_s: 1, latency_us: 100, host_gb: 0.01 };
type Drawn = typeof cluster extends fc.Arbitrary<infer T> ? T : never;

const requests = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 400 }),
    turns: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 5 }),
    output: fc.integer({ min: 1, max: 30 }),
  }),
  { minLength: 1, maxLength: 40 },
);

function trafficOf(drawn: typeof requests extends fc.Arbitrary<infer T> ? T : never) {
  let at = 0;
  return tinyTraffic(
    drawn.map(({ gap, turns, output }) => {
      at += gap;
      let node = 0;
      const ids = turns.map((turn) => {
        node = 2 * node + 1 + turn;
        return node;
      });
      return { at, prompt: turns.length * 4 - 1, output, ids };
    }),
    4,
  );
}

function specOf(c: Drawn): RunSpec {
  const pools = [...new Set<'mixed' | 'prefill' | 'decode'>(c.roles)].map((pool) => {
    const there = c.roles.filter((role) => role === pool).length;
    return { pool, initial: there, min: 1, max: there };
  });
  const spec = tinySpec({
    instances: c.roles.map((pool, i) => ({ pool, blocks: c.blocks, prefill: 1000 - 200 * i, decode: 20 })),
    budget: c.budget,
    sequences: c.sequences,
    blockTokens: 4,
    reuse: c.reuse,
    router: c.router,
    linkGbPerS: c.link,
    slo: { ttft_ms: 200, tpot_ms: 150 },
    timeline: c.timeline,
    health: { detection_s: c.detection, retry_ms: 20, breaker_failures: c.breaker },
    handoff: {
      transfer: c.transfer,
      ...(c.conditional === undefined ? {} : { conditional: c.conditional }),
      ...(c.rebalance === undefined ? {} : { rebalance: c.rebalance }),
    },
    ...(c.scaled === undefined
      ? {}
      : { autoscaling: { policy: c.scaled, pools, interval_s: 1, startup_s: 1.5, cooldown_s: 2 } }),
    routerParameters: {
      telemetry_refresh_ms: c.refresh,
      hand_off: 'conditional',
      migration_gap: 0.05,
      hysteresis: 0,
      migration_cooldown_ms: 100,
    },
  });
  const { scheduler, kv } = spec.cluster;
  const admission =
    c.admission === undefined
      ? {}
      : {
          admission: {
            policy: c.admission,
            parameters: {},
            retries: { most: 2, jitter: 0.5 },
            tiers: [{ name: 'all', deadline_ms: 3000, reserved: 0.5 }, { name: 'rest' }],
          },
        };
  return runSpec.parse({
    ...spec,
    policy: { ...spec.policy, ...admission },
    cluster: {
      ...spec.cluster,
      kv: {
        ...kv,
        ...(c.eviction === undefined ? {} : { eviction: c.eviction }),
        ...(c.tiers === undefined || !c.reuse || c.transfer.kind === 'layerwise' ? {} : { tiers: c.tiers }),
      },
      scheduler: {
        ...scheduler,
        ...(c.swap
          ? { policy: { kind: 'prefill_first', order: { kind: 'shortest_prompt' }, preemption } }
          : {}),
      },
    },
  });
}

describe('any timeline', () => {
  test('requests and blocks are conserved, tokens are counted once, first tokens keep their time', () => {
    fc.assert(
      fc.property(requests, cluster, (drawn, c) => {
        const spec = specOf(c);
        const traffic = trafficOf(drawn);
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
        const { requests: table } = replicate;
        const check = invariantsOf(replicate);
        const first = new Float64Array(traffic.requests).fill(Number.NaN);
        replicate.onEvent = () => {
          check();
          for (let r = 0; r < traffic.requests; r++) {
            const known = first[r] ?? Number.NaN;
            if (!Number.isNaN(known) && table.firstTokenNs[r] !== known)
              throw new Error(`request ${r}: TTFT`);
            first[r] = table.firstTokenNs[r] ?? Number.NaN;
          }
        };
        expect(replicate.advance(Number.POSITIVE_INFINITY, 50_000)).toBe(true);
        expect(replicate.completed + replicate.rejected).toBe(traffic.requests);
        for (const instance of replicate.instances) expect(instance.pool.used).toBe(0);
        let tokens = 0;
        let begun = 0;
        for (let r = 0; r < traffic.requests; r++) {
          const isDone = table.phase[r] === Phase.completed;
          tokens += (isDone ? traffic.outputTokens[r] : table.generated[r]) ?? 0;
          if (!Number.isNaN(table.firstTokenNs[r] ?? 0)) begun++;
        }
        const produced = replicate.instances.reduce((sum, i) => sum + i.counters.outputTokensDone, 0);
        expect(produced).toBe(tokens);
        expect(replicate.itlMs.n).toBe(produced - begun);
      }),
      { numRuns: 120, endOnFailure: true },
    );
  });

  test('the same spec gives the same bytes', () => {
    fc.assert(
      fc.property(requests, cluster, (drawn, c) => {
        const spec = specOf(c);
        const traffic = trafficOf(drawn);
        const whole = runSpecOn(spec, traffic);
        const again = runSpecOn(spec, traffic);
        expect(JSON.stringify(again.summary)).toBe(JSON.stringify(whole.summary));
        for (const table of ['requests', 'decisions', 'kv', 'samples', 'events']) {
          expect(JSON.stringify(again.sink.table(table))).toBe(JSON.stringify(whole.sink.table(table)));
        }
      }),
      { numRuns: 30, endOnFailure: true },
    );
  });
});
