import { createReadStream } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findTarget } from '../catalog/catalog.ts';
import { invariantsOf } from '../engines/sim/invariants.ts';
import { simReplicate } from '../engines/sim/simReplicate.ts';
import {
  KeepingSink,
  runSpecOn,
  type TinyCluster,
  type TinyRequest,
  tinySpec,
  tinyTraffic,
} from '../engines/sim/tinyRun.ts';
import { Recorder } from '../record/recorder.ts';
import type { RouterViewSpec } from '../run/routerViewSpec.ts';
import { type RunSpec, runSpec } from '../run/spec.ts';
import { readTraffic } from '../traffic/readTraffic.ts';

function withView(cluster: TinyCluster, view: Partial<RouterViewSpec>): RunSpec {
  const base = tinySpec(cluster);
  return runSpec.parse({ ...base, policy: { ...base.policy, view } });
}

/** The instance that computed each prompt. */
function placed(cluster: TinyCluster, view: Partial<RouterViewSpec>, requests: readonly TinyRequest[]) {
  const { sink } = runSpecOn(withView(cluster, view), tinyTraffic(requests, 16));
  return sink
    .table('requests')
    .sort((a, b) => Number(a['request']) - Number(b['request']))
    .map((row) => row['prefill_instance']);
}

const four = [{}, {}, {}, {}];

describe('several routers', () => {
  const oldNews = { router: 'least_outstanding', routerParameters: { telemetry_refresh_ms: 60_000 } };
  const burst = [0, 1, 2, 3, 4, 5, 6, 7].map((at) => ({ at, prompt: 100, output: 2 }));

  test('one remembers what it sent; two, each for itself, do not see each other’s', () => {
    const cluster = { instances: four, ...oldNews };
    // Which of equals is drawn is chance: each router's four are all of the instances.
    const all = new Set([0, 1, 2, 3]);
    const one = placed(cluster, { replicas: 1 }, burst);
    expect([new Set(one.slice(0, 4)), new Set(one.slice(4))]).toEqual([all, all]);
    const two = placed(cluster, { replicas: 2 }, burst);
    expect([0, 1].map((own) => new Set(two.filter((_, r) => r % 2 === own)))).toEqual([all, all]);
    expect(new Set(two.slice(0, 4)).size).toBeLessThan(4);
  });

  test('with fresh telemetry they see each other’s requests in the queues', () => {
    const cluster = { instances: four, router: 'least_outstanding' };
    const two = placed(cluster, { replicas: 2 }, burst);
    const all = new Set([0, 1, 2, 3]);
    expect([new Set(two.slice(0, 4)), new Set(two.slice(4))]).toEqual([all, all]);
  });
});

describe('views of the prefix caches', () => {
  // A computes 48 tokens, on either instance, until 48 ms. Dynamo's score counts the blocks that are left to compute: of B
  // all 4 where nothing is known of A, 1 where it is.
  const a = { at: 0, prompt: 48, output: 1, ids: [0, 1, 2] };
  const blocksLeft = (view: Partial<RouterViewSpec>, at: number): number => {
    const spec = withView({ instances: [{}, {}], router: 'dynamo_kv' }, view);
    const b = { at, prompt: 64, output: 1, ids: [0, 1, 2, 3] };
    const { sink } = runSpecOn(spec, tinyTraffic([a, b], 16));
    const scores = sink.table('decisions').filter((row) => row['request'] === 1);
    return -Math.max(...scores.map((row) => Number(row['score'])));
  };

  test('the truth is known at once', () => {
    expect(blocksLeft({}, 48)).toBe(1);
  });

  test('events arrive late: what was stored at 48 ms is known at 148 ms', () => {
    const view = { prefix: { kind: 'events', delay_ms: 100 } } as const;
    expect(blocksLeft(view, 147.9)).toBe(4);
    expect(blocksLeft(view, 148)).toBe(1);
  });

  test('a router’s own tree knows of a prompt as soon as it was sent, and nothing of another router’s', () => {
    const prefix = { kind: 'own' } as const;
    expect(blocksLeft({ prefix }, 200)).toBe(1);
    expect(blocksLeft({ prefix, replicas: 2 }, 200)).toBe(4);
  });
});

// ── Whatever happens ──────────────────────────────────────────────────────────────────────────────

const requests = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 200 }),
    turns: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 5 }),
    output: fc.integer({ min: 1, max: 20 }),
  }),
  { minLength: 1, maxLength: 40 },
);
const setup = fc.record({
  pools: fc.constantFrom(['mixed', 'mixed', 'mixed'] as const, ['prefill', 'decode', 'mixed'] as const),
  router: fc.constantFrom('score', 'longest_prefix', 'sglang_cache_aware', 'dynamo_kv', 'mooncake_conductor'),
  blocks: fc.integer({ min: 10, max: 30 }),
  refresh: fc.constantFrom(0, 300),
});
type Drawn = typeof requests extends fc.Arbitrary<infer T> ? T : never;
type Setup = typeof setup extends fc.Arbitrary<infer T> ? T : never;

function trafficOf(drawn: Drawn) {
  let at = 0;
  return tinyTraffic(
    drawn.map(({ gap, turns, output }) => {
      at += gap;
      let node = 0;
      const ids = turns.map((turn) => {
        node = 2 * node + 1 + turn;
        return node;
      });
      return { at, prompt: turns.length * 4, output, ids };
    }),
    4,
  );
}
const specOf = (s: Setup, view: Partial<RouterViewSpec>): RunSpec =>
  withView(
    {
      instances: s.pools.map((pool) => ({ pool, blocks: s.blocks })),
      blockTokens: 4,
      budget: 16,
      sequences: 4,
      router: s.router,
      routerParameters: { telemetry_refresh_ms: s.refresh, migration_gap: 0.05 },
      slo: { ttft_ms: 200, tpot_ms: 150 },
    },
    view,
  );

describe('any view', () => {
  test('events without delay are the truth, after any evictions and transfers', () => {
    fc.assert(
      fc.property(requests, setup, (drawn, s) => {
        const traffic = trafficOf(drawn);
        const exact = runSpecOn(specOf(s, { prefix: { kind: 'exact' } }), traffic);
        const events = runSpecOn(specOf(s, { prefix: { kind: 'events', delay_ms: 0 } }), traffic);
        expect(JSON.stringify(events.summary)).toBe(JSON.stringify(exact.summary));
        expect(JSON.stringify(events.sink.table('decisions'))).toBe(
          JSON.stringify(exact.sink.table('decisions')),
        );
        const none = runSpecOn(tinySpecWithout(specOf(s, {})), traffic);
        expect(JSON.stringify(none.summary)).toBe(JSON.stringify(exact.summary));
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  test('a crash empties the index as it empties the cache', () => {
    fc.assert(
      fc.property(requests, setup, fc.integer({ min: 1, max: 3000 }), (drawn, s, at) => {
        const traffic = trafficOf(drawn);
        const crashing = (view: Partial<RouterViewSpec>) =>
          runSpec.parse({
            ...specOf({ ...s, pools: ['mixed', 'mixed', 'mixed'] }, view),
            timeline: [
              { at_s: at / 1000, event: 'crash', instance: 1 },
              { at_s: at / 1000 + 1, event: 'recover', instance: 1 },
            ],
          });
        const exact = runSpecOn(crashing({}), traffic);
        const events = runSpecOn(crashing({ prefix: { kind: 'events', delay_ms: 0 } }), traffic);
        expect(JSON.stringify(events.summary)).toBe(JSON.stringify(exact.summary));
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  test('keeps every invariant, ends, and replays to the byte', () => {
    const views = fc.record({
      replicas: fc.integer({ min: 1, max: 4 }),
      deal: fc.constantFrom('round_robin' as const, 'session' as const),
      prefix: fc.constantFrom<RouterViewSpec['prefix']>(
        { kind: 'own' },
        { kind: 'events', delay_ms: 50 },
        { kind: 'events', delay_ms: 5000 },
      ),
    });
    fc.assert(
      fc.property(requests, setup, views, (drawn, s, view) => {
        const traffic = trafficOf(drawn);
        const spec = specOf(s, view);
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
        replicate.onEvent = invariantsOf(replicate);
        expect(replicate.advance(Number.POSITIVE_INFINITY, 20_000)).toBe(true);
        const [one, two] = [runSpecOn(spec, traffic), runSpecOn(spec, traffic)];
        expect(JSON.stringify(two.summary)).toBe(JSON.stringify(one.summary));
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });
});

const tinySpecWithout = (spec: RunSpec): RunSpec => {
  const { view: _, ...policy } = spec.policy;
  return { ...spec, policy };
};

// ── The conversation trace ────────────────────────────────────────────────────────────────────────

const data = process.env['DYNO_DATA'] ?? '';
describe.skipIf(data === '')('Mooncake conversation trace over 8 × 5,859 blocks', () => {
  test('the score keeps ≥ 0.345 of the blocks at an imbalance ≤ 1.15 with cache events a second late', async () => {
    const path = `${data}/traces/mooncake-conversation.jsonl`;
    const traffic = await readTraffic(
      { kind: 'trace', path, format: 'mooncake', speedup: 1 },
      (file: string) => createReadStream(file),
    );
    const target = findTarget('labs/dynamic_router:dynamic_router');
    const run = (parameters: Record<string, number | string>) => {
      const spec = target?.spec({
        variant: 'optimized',
        engine: 'sim',
        parameters: { kv_memory: 'given', kv_blocks: 5859, block_tokens: 512, ...parameters },
        seed: 0,
        iterations: 1,
      });
      if (spec === undefined) throw new Error('no target');
      return runSpecOn(
        { ...spec, detail: { requests: 'none', decisions: 'none', iterations: 'none' } },
        traffic,
      ).summary;
    };
    const late = run({ prefix_view: 'events', prefix_delay_ms: 1000 });
    expect(late.requests.completed).toBe(12_031);
    expect(late.kv.hit_rate).toBeGreaterThanOrEqual(0.345);
    expect(late.balance.request_imbalance).toBeLessThanOrEqual(1.15);
  });
});
