import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Recorder } from '../../record/recorder.ts';
import { InputError } from '../../run/inputError.ts';
import type { KvTiersSpec, TierSpec } from '../../run/kvSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import { Phase } from '../../serving/requestTable.ts';
import { TierLevel } from '../../serving/tiers/tierLevel.ts';
import { invariantsOf } from './invariants.ts';
import { simReplicate } from './simReplicate.ts';
import {
  KeepingSink,
  runSpecOn,
  type TinyCluster,
  type TinyRequest,
  tinyRun,
  tinySpec,
  tinyTraffic,
} from './tinyRun.ts';

/** Blocks of 4 tokens of an 8B model are 524,288 bytes: at this rate one block takes 1 ms. */
const blockPerMs = 0.524288;

const host: TierSpec = {
  kind: 'host',
  blocks: 100,
  shared: false,
  link: 'instance',
  read_gb_per_s: blockPerMs,
  write_gb_per_s: blockPerMs,
  latency_us: 0,
  decode_share: 0,
};
const tiersOf = (levels: readonly TierSpec[], more: Partial<KvTiersSpec> = {}): KvTiersSpec => ({
  node_instances: 4,
  levels: [...levels],
  write: 'back',
  overflow: 'demote',
  load: 'fetch',
  staging_gb: 100,
  ...more,
});
/** One instance: 4 blocks of 4 tokens, a millisecond per prompt token. */
const small = (tiers: KvTiersSpec, more: TinyCluster = {}): TinyCluster => ({
  instances: [{ blocks: 4 }],
  blockTokens: 4,
  kv: { tiers },
  ...more,
});
/** 1 2 are computed, evicted by 3 4 5 6, and asked for again at 40 ms. */
const there = [
  { at: 0, prompt: 8, output: 1, ids: [1, 2] },
  { at: 20, prompt: 16, output: 1, ids: [3, 4, 5, 6] },
];
const again = { at: 40, prompt: 8, output: 1, ids: [1, 2] };

const kvRows = (sink: KeepingSink) =>
  sink
    .table('kv')
    .filter((row) => row['kind'] !== 'evict')
    .map((row) =>
      [
        row['kind'],
        row['tier'],
        Number(row['time_ns']) / 1e6,
        row['blocks'],
        Number(row['duration_ns']) / 1e6,
      ].join(' '),
    );

describe('a host tier', () => {
  test('blocks go down when they are evicted, and come up for who asks for them again', () => {
    const run = tinyRun(small(tiersOf([host])), [...there, again], 4);
    // 40: two blocks up, 42: the last prompt token is computed, 43. Computing all of it would have taken 8 ms.
    expect(run.requests.map((r) => r.first)).toEqual([8, 36, 43]);
    expect(run.requests.map((r) => r.cached)).toEqual([0, 0, 7]);
    expect(kvRows(run.sink)).toEqual([
      'demote host 20 2 2',
      'promote host 40 2 2',
      'fetch  40 2 2',
      'demote host 40 2 2',
    ]);
    expect(run.summary.kv).toMatchObject({ hits: 2, hit_tokens: 7, evictions: 4 });
    expect(run.summary.kv.tiers).toMatchObject({
      hbm_hits: 0,
      fetches: 1,
      stall_s: 0.002,
      stall_mean_ms: 2,
      levels: [
        { tier: 'host', hits: 2, hit_tokens: 7, promotions: 2, demotions: 4, drops: 0, resident_blocks: 4 },
      ],
    });
    // Two of the run's 50 ms up, and twice two down.
    expect(run.summary.kv.tiers?.levels[0]).toMatchObject({ up_busy: 2 / 50, down_busy: 4 / 50 });
  });

  test('a block that is evicted again is there already: it does not travel twice', () => {
    const run = tinyRun(
      small(tiersOf([host])),
      [...there, again, { at: 60, prompt: 16, output: 1, ids: [7, 8, 9, 10] }],
      4,
    );
    // At 60 the pool holds 1 2 3 4: 3 4 go down, 1 2 are below since 22.
    expect(kvRows(run.sink).filter((row) => row.startsWith('demote'))).toEqual([
      'demote host 20 2 2',
      'demote host 40 2 2',
      'demote host 60 2 2',
    ]);
  });

  test('written through, blocks go down as soon as they are computed', () => {
    const run = tinyRun(small(tiersOf([host], { write: 'through' })), [...there, again], 4);
    expect(kvRows(run.sink).slice(0, 2)).toEqual(['demote host 8 2 2', 'demote host 36 4 4']);
    expect(run.requests[2]?.first).toBe(43);
  });

  test('a block that is still on its way down cannot be read', () => {
    const slow = { ...host, write_gb_per_s: blockPerMs / 100 };
    const run = tinyRun(small(tiersOf([slow])), [...there, again], 4);
    expect(run.requests[2]).toMatchObject({ first: 48, cached: 0 });
    expect(run.summary.kv.tiers?.fetches).toBe(0);
  });

  test('what does not fit into the staging memory is dropped, the end of the prefix first', () => {
    const run = tinyRun(small(tiersOf([host], { staging_gb: 0.0006 })), [...there, again], 4);
    expect(kvRows(run.sink).slice(0, 2)).toEqual(['drop host 20 1 0', 'demote host 20 1 1']);
    expect(run.requests[2]?.cached).toBe(4);
  });

  test('fetch or compute, whichever is expected to be sooner', () => {
    const slow = { ...host, read_gb_per_s: blockPerMs / 4 };
    const first = (level: TierSpec, load: KvTiersSpec['load']) =>
      tinyRun(small(tiersOf([level], { load })), [...there, again], 4).requests[2]?.first;
    expect([first(host, 'fetch'), first(host, 'recompute'), first(host, 'cheaper')]).toEqual([43, 48, 43]);
    // 8 ms up and one token, or 8 ms of computing.
    expect([first(slow, 'fetch'), first(slow, 'recompute'), first(slow, 'cheaper')]).toEqual([49, 48, 48]);
  });

  test('others are computed while one waits for its prefix', () => {
    const slow = { ...host, read_gb_per_s: blockPerMs / 10 };
    const run = tinyRun(
      small(tiersOf([slow]), { instances: [{ blocks: 5 }] }),
      [
        { at: 0, prompt: 8, output: 1, ids: [1, 2] },
        { at: 20, prompt: 20, output: 1, ids: [3, 4, 5, 6, 7] },
        { at: 41, prompt: 8, output: 1, ids: [1, 2] },
        { at: 42, prompt: 4, output: 1, ids: [9] },
      ],
      4,
    );
    expect(run.requests[2]?.first).toBe(62);
    expect(run.requests[3]?.first).toBe(46);
  });
});

describe('links', () => {
  test('one link for a node: the second fetch waits for the first', () => {
    const run = (link: 'instance' | 'node') =>
      tinyRun(
        small(tiersOf([{ ...host, link }]), { instances: [{ blocks: 4 }, { blocks: 4 }] }),
        [
          { at: 0, prompt: 8, output: 1, ids: [1, 2] },
          { at: 0, prompt: 8, output: 1, ids: [11, 12] },
          { at: 20, prompt: 16, output: 1, ids: [3, 4, 5, 6] },
          { at: 20, prompt: 16, output: 1, ids: [13, 14, 15, 16] },
          { at: 40, prompt: 8, output: 1, ids: [1, 2] },
          { at: 40, prompt: 8, output: 1, ids: [11, 12] },
        ],
        4,
      ).requests.map((r) => r.first);
    expect(run('instance').slice(4)).toEqual([43, 43]);
    expect(run('node').slice(4)).toEqual([43, 45]);
  });

  test('a shared memory serves an instance that never computed the prefix', () => {
    const run = (shared: boolean) =>
      tinyRun(
        small(tiersOf([{ ...host, shared }]), { instances: [{ blocks: 4 }, { blocks: 4 }] }),
        [
          { at: 0, prompt: 8, output: 1, ids: [1, 2] },
          { at: 10, prompt: 4, output: 1, ids: [20] },
          { at: 20, prompt: 16, output: 1, ids: [3, 4, 5, 6] },
          // Round robin: to the other instance.
          { at: 40, prompt: 8, output: 1, ids: [1, 2] },
        ],
        4,
      ).requests[3];
    expect(run(true)).toMatchObject({ prefillInstance: 1, cached: 7, first: 43 });
    expect(run(false)).toMatchObject({ prefillInstance: 1, cached: 0, first: 48 });
  });

  test('peers: down to the neighbour’s memory, up from it, then on to the host', () => {
    const peer: TierSpec = { ...host, kind: 'peer', blocks: 2, shared: true, donors: 'instances' };
    const run = tinyRun(
      small(tiersOf([peer, host]), { instances: [{ blocks: 4 }, { blocks: 4 }] }),
      [
        { at: 0, prompt: 8, output: 1, ids: [1, 2] },
        { at: 0, prompt: 4, output: 1, ids: [20] },
        { at: 20, prompt: 16, output: 1, ids: [3, 4, 5, 6] },
        { at: 20, prompt: 4, output: 1, ids: [21] },
        { at: 40, prompt: 8, output: 1, ids: [1, 2] },
      ],
      4,
    );
    // 5 6, evicted for 1 2, find these in their place, still being read, and go on to the host.
    expect(kvRows(run.sink)).toEqual([
      'demote peer 20 2 2',
      'promote peer 40 2 2',
      'fetch  40 2 2',
      'demote host 40 2 2',
    ]);
    const rows = run.sink.table('kv').filter((row) => row['tier'] === 'peer');
    expect(rows[0]).toMatchObject({ kind: 'demote', from_instance: 0, to_instance: 1 });
    expect(rows[1]).toMatchObject({ kind: 'promote', from_instance: 1, to_instance: 0 });
    expect(run.requests[4]?.first).toBe(43);
  });

  test('a full tier gives its oldest down, or drops it', () => {
    const disk: TierSpec = { ...host, kind: 'disk', blocks: 100, read_gb_per_s: blockPerMs / 2 };
    const traffic: TinyRequest[] = [
      ...there,
      { at: 60, prompt: 16, output: 1, ids: [7, 8, 9, 10] },
      { at: 100, prompt: 8, output: 1, ids: [1, 2] },
    ];
    const full = { ...host, blocks: 2 };
    const demoted = tinyRun(small(tiersOf([full, disk])), traffic, 4);
    // 20: 1 2 to the host. 60: 3 4 take their place, 1 2 go on to the disk, 5 6 straight there. 100: 9 10 push 3 4 on.
    expect(demoted.summary.kv.tiers?.levels.map((l) => [l.tier, l.demotions, l.hits, l.drops])).toEqual([
      ['host', 6, 0, 0],
      ['disk', 6, 2, 0],
    ]);
    expect(demoted.requests[3]?.first).toBe(105);
    const dropped = tinyRun(small(tiersOf([full, disk], { overflow: 'drop' })), traffic, 4);
    expect(dropped.requests[3]?.first).toBe(108);
    expect(dropped.summary.kv.tiers?.levels).toMatchObject([
      { demotions: 6, drops: 6 },
      { demotions: 0, hits: 0 },
    ]);
  });
});

describe('those who decode beside a transfer', () => {
  // Request 0 decodes 100 ms per token from 4 ms on; 1 and 2 use the pool's other blocks; 3 fetches 1 2 again.
  const cluster = (tiers: KvTiersSpec): TinyCluster => small(tiers, { instances: [{ blocks: 7 }] });
  const traffic: TinyRequest[] = [
    { at: 0, prompt: 4, output: 9, ids: [50] },
    { at: 0, prompt: 8, output: 1, ids: [1, 2] },
    { at: 20, prompt: 20, output: 1, ids: [3, 4, 5, 6, 7] },
    { at: 300, prompt: 8, output: 1, ids: [1, 2] },
  ];
  const slow: TierSpec = { ...host, read_gb_per_s: blockPerMs / 50 };

  test('are slowed by the declared share, for as long as it lasts', () => {
    const alone = tinyRun(cluster(tiersOf([slow])), traffic, 4);
    const beside = tinyRun(cluster(tiersOf([{ ...slow, decode_share: 0.5 }])), traffic, 4);
    const stall = alone.summary.kv.tiers?.stall_s ?? 0;
    expect(stall).toBe(0.1);
    // 100 ms at half speed take 50 ms of work away: the passes beside the transfer end 50 ms later in all.
    expect(beside.summary.kv.tiers?.slowed_s).toBeCloseTo(0.05, 9);
    expect((beside.requests[0]?.finish ?? 0) - (alone.requests[0]?.finish ?? 0)).toBeCloseTo(50, 6);
    expect(alone.summary.kv.tiers?.slowed_passes).toBe(0);
  });

  test('a budget slows the fetch instead, and says where it was exceeded all the same', () => {
    const run = (budget: number) =>
      tinyRun(
        cluster(tiersOf([{ ...slow, decode_share: 0.5 }], { decode_latency_budget_ms: budget })),
        traffic,
        4,
      ).summary.kv.tiers;
    const free = run(1000);
    expect(free).toMatchObject({ throttled: 0, over_budget: 0 });
    // A pass of 100 ms may take 125: a share of 0.2 instead of 0.5, and 2.5 times the transfer.
    const kept = run(125);
    expect(kept).toMatchObject({ throttled: 1, over_budget: 0 });
    expect(kept?.stall_s).toBeCloseTo(2.5 * (free?.stall_s ?? 0), 6);
    // No share at all keeps 100: the transfer goes on at a twentieth, and the passes beside it are over.
    const over = run(100);
    expect(over?.throttled).toBe(1);
    expect(over?.over_budget).toBeGreaterThan(0);
  });
});

test('a crash takes the memory that was the instance’s own, and leaves what the server shares', () => {
  const left = (spec: TierSpec) => {
    const level = new TierLevel(spec, 2, 4);
    for (const store of level.stores) store.insert(7, 0);
    const lost = level.crashed(1);
    for (const store of level.stores) store.check();
    return [lost, level.resident];
  };
  const peer: TierSpec = { ...host, kind: 'peer', shared: true };
  expect(left(host)).toEqual([1, 1]);
  expect(left({ ...host, shared: true })).toEqual([0, 1]);
  expect(left({ ...peer, donors: 'instances' })).toEqual([1, 1]);
  expect(left({ ...peer, donors: 'spare' })).toEqual([0, 2]);
});

describe('a spec that cannot be', () => {
  test('is refused with what was expected', () => {
    const traffic = tinyTraffic(there, 4);
    const refuse = (spec: RunSpec) => expect(() => runSpecOn(spec, traffic));
    refuse(tinySpec(small(tiersOf([host, host])))).toThrow(InputError);
    refuse(tinySpec(small(tiersOf([host, host])))).toThrow('a second host tier');
    refuse(tinySpec(small(tiersOf([{ ...host, kind: 'peer' }], { node_instances: 1 })))).toThrow(
      'node_instances of at least 2',
    );
    refuse(tinySpec({ ...small(tiersOf([host])), reuse: false })).toThrow('expected prefix_reuse true');
  });
});

// ── Any cluster, any requests ─────────────────────────────────────────────────────────────────────

const requests = fc.array(
  fc.record({
    gap: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 120 })),
    turns: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 5 }),
    last: fc.integer({ min: 1, max: 4 }),
    output: fc.integer({ min: 1, max: 12 }),
  }),
  { minLength: 10, maxLength: 80 },
);
const level = (kind: TierSpec['kind']) =>
  fc.record({
    kind: fc.constant(kind),
    blocks: fc.integer({ min: 1, max: 12 }),
    shared: fc.boolean(),
    link: fc.constantFrom('instance' as const, 'node' as const),
    read_gb_per_s: fc.constantFrom(0.01, 0.1, 10),
    write_gb_per_s: fc.constantFrom(0.01, 0.1, 10),
    latency_us: fc.constantFrom(0, 500),
    decode_share: fc.constantFrom(0, 0.3),
    donors: fc.constantFrom('instances' as const, 'spare' as const),
  });
const cluster = fc.record({
  roles: fc.constantFrom(
    ['mixed'] as const,
    ['mixed', 'mixed', 'mixed'] as const,
    ['prefill', 'decode', 'mixed'] as const,
  ),
  levels: fc.oneof(
    fc.tuple(level('host')),
    fc.tuple(level('peer'), level('host')),
    fc.tuple(level('peer'), level('host'), level('disk')),
  ),
  node: fc.constantFrom(2, 3),
  write: fc.constantFrom('back' as const, 'through' as const),
  overflow: fc.constantFrom('demote' as const, 'drop' as const),
  load: fc.constantFrom('fetch' as const, 'recompute' as const, 'cheaper' as const),
  staging: fc.constantFrom(0.001, 100),
  budget: fc.constantFrom(undefined, 30, 100),
  eviction: fc.constantFrom(undefined, 'lfu' as const, 'fifo' as const),
  router: fc.constantFrom('round_robin', 'score', 'mooncake_conductor', 'dynamo_kv'),
  blocks: fc.integer({ min: 9, max: 14 }),
});
type Drawn = typeof requests extends fc.Arbitrary<infer T> ? T : never;
type DrawnCluster = typeof cluster extends fc.Arbitrary<infer T> ? T : never;

function trafficOf(drawn: Drawn) {
  let at = 0;
  return tinyTraffic(
    drawn.map((r) => {
      at += r.gap;
      let node = 0;
      const ids = r.turns.map((turn) => {
        node = 2 * node + 1 + turn;
        return node;
      });
      return { at, prompt: (r.turns.length - 1) * 4 + r.last, output: r.output, ids };
    }),
    4,
  );
}

const specOf = (c: DrawnCluster): RunSpec =>
  tinySpec({
    instances: c.roles.map((pool) => ({ pool, blocks: c.blocks, decode: 50 })),
    blockTokens: 4,
    budget: 16,
    sequences: 6,
    router: c.router,
    routerParameters: {
      migration_gap: 0.05,
      hysteresis: 0,
      fetch_prefix: true,
      kvcache_balancing_threshold: 1,
    },
    linkGbPerS: 0.1,
    kv: {
      ...(c.eviction === undefined ? {} : { eviction: c.eviction }),
      tiers: tiersOf(c.levels, {
        node_instances: c.node,
        write: c.write,
        overflow: c.overflow,
        load: c.load,
        staging_gb: c.staging,
        ...(c.budget === undefined ? {} : { decode_latency_budget_ms: c.budget }),
      }),
    },
  });

const make = (spec: RunSpec, drawn: Drawn, sink = new KeepingSink()) =>
  simReplicate(spec, trafficOf(drawn), 0, new Recorder(spec, sink), () => {});

describe('any cluster with tiers, any requests', () => {
  test('every invariant holds after every event, and everyone is served', () => {
    fc.assert(
      fc.property(requests, cluster, (drawn, c) => {
        const sink = new KeepingSink();
        const spec = specOf(c);
        const recorder = new Recorder(spec, sink);
        const replicate = simReplicate(spec, trafficOf(drawn), 0, recorder, () => {});
        const nodes = replicate.tiers?.nodes ?? [];
        for (const node of nodes) for (const l of node.levels) for (const port of l.ports) port.log = [];
        const held = invariantsOf(replicate);
        replicate.onEvent = () => {
          held();
          for (const node of nodes) for (const l of node.levels) for (const store of l.stores) store.check();
        };
        expect(replicate.advance(Number.POSITIVE_INFINITY, 20_000)).toBe(true);
        expect([...replicate.requests.phase].every((p) => p === Phase.completed)).toBe(true);
        for (const instance of replicate.instances) expect(instance.pool.used).toBe(0);
        recorder.flush();

        // A link carries one transfer at a time, in the order in which they were asked for.
        let ports = 0;
        for (const node of nodes) {
          for (const l of node.levels) {
            for (const { log } of l.ports) {
              ports++;
              log?.reduce((free, [start, end]) => {
                expect(start).toBeGreaterThanOrEqual(free);
                expect(end).toBeGreaterThanOrEqual(start);
                return end;
              }, 0);
            }
          }
        }
        expect(ports).toBeGreaterThan(0);

        // Every block that came into a tier is there, or was given up: to the tier below, or for good.
        const kv = sink.table('kv');
        const sum = (kind: string, tier: string) =>
          kv
            .filter((row) => row['kind'] === kind && row['tier'] === tier)
            .reduce((n, row) => n + Number(row['blocks']), 0);
        for (const kind of ['peer', 'host', 'disk'] as const) {
          const levels = nodes.flatMap((node) => node.levels.filter((l) => l.kind === kind));
          const total = (f: (l: (typeof levels)[number]) => number) => levels.reduce((n, l) => n + f(l), 0);
          const inserted = total((l) => l.stores.reduce((n, store) => n + store.inserted, 0));
          const removed = total((l) => l.stores.reduce((n, store) => n + store.removed, 0));
          expect(inserted).toBe(total((l) => l.demotions));
          expect(inserted - removed).toBe(total((l) => l.resident));
          expect(sum('demote', kind)).toBe(inserted);
          expect(sum('promote', kind)).toBe(total((l) => l.promotions));
          expect(sum('drop', kind)).toBe(total((l) => l.drops));
        }

        // No block is used before its fetch ends: nobody who fetched has a first token before that.
        for (const row of kv) {
          if (row['kind'] !== 'fetch') continue;
          const ready = Number(row['time_ns']) + Number(row['duration_ns']);
          const r = Number(row['request']);
          const last = replicate.requests.finishNs[r] ?? 0;
          expect(last).toBeGreaterThan(ready);
          if (replicate.requests.preemptions[r] === 0) {
            expect(replicate.requests.firstTokenNs[r]).toBeGreaterThan(ready);
          }
        }
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  test('a request is found in exactly one place: HBM, a tier, or nowhere', () => {
    fc.assert(
      fc.property(requests, cluster, (drawn, c) => {
        const { kv, traffic } = runSpecOn(specOf(c), trafficOf(drawn)).summary;
        const levels = kv.tiers?.levels ?? [];
        expect(kv.block_refs).toBe(traffic.block_refs);
        expect((kv.tiers?.hbm_hits ?? Number.NaN) + levels.reduce((n, l) => n + l.hits, 0)).toBe(kv.hits);
        expect(kv.tiers?.hbm_hits).toBeGreaterThanOrEqual(0);
        expect(levels.reduce((n, l) => n + l.hit_tokens, 0)).toBeLessThanOrEqual(kv.hit_tokens);
        if (c.load === 'recompute') expect(kv.tiers?.fetches).toBe(0);
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });

  test('looking at the instances more often changes nothing: what they share is looked at in order of time', () => {
    fc.assert(
      fc.property(requests, cluster, (drawn, c) => {
        const times = (curious: boolean) => {
          const replicate = make(specOf(c), drawn);
          if (curious) {
            replicate.onEvent = () => {
              for (const instance of replicate.instances) instance.advanceTo(replicate.clock);
            };
          }
          replicate.advance(Number.POSITIVE_INFINITY, 20_000);
          return [...replicate.requests.finishNs, ...replicate.requests.firstTokenNs];
        };
        expect(times(true)).toEqual(times(false));
      }),
      { numRuns: 100, endOnFailure: true },
    );
  });

  test('the same spec gives the same bytes', () => {
    fc.assert(
      fc.property(requests, cluster, (drawn, c) => {
        const run = () => {
          const { summary, sink } = runSpecOn(specOf(c), trafficOf(drawn));
          return JSON.stringify([
            summary,
            sink.table('requests'),
            sink.table('kv'),
            sink.table('iterations'),
          ]);
        };
        expect(run()).toBe(run());
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
});
