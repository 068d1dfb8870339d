import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../run/inputError.ts';
import { readTrace } from '../traffic/readTraffic.ts';
import type { Traffic } from '../traffic/traffic.ts';
import { TrafficBuilder } from '../traffic/trafficBuilder.ts';
import { PrefixCache } from './prefixCache.ts';
import {
  type CachePolicyId,
  cachePolicies,
  parseCapacity,
  parsePolicy,
  parseRouting,
  replayTrace,
} from './replayTrace.ts';

/** A trace of requests given by their block ids; each prompt ends in the middle of its last block. */
function traceOf(requests: readonly (readonly number[])[], blockTokens = 512): Traffic {
  const builder = new TrafficBuilder('test', blockTokens);
  requests.forEach((ids, r) => {
    for (const id of ids) builder.block(id);
    builder.request(r, ids.length * blockTokens - 100, 1);
  });
  return builder.traffic();
}

// ---- The same definitions again, as plainly as they can be said: arrays searched from end to end.

interface Cached {
  readonly id: number;
  uses: number;
  position: number;
  used: number;
  inserted: number;
}

function naiveFlat(requests: readonly (readonly number[])[], policy: CachePolicyId, capacity: number) {
  const stream = requests.flat();
  const nextUse = (ref: number): number => {
    const next = stream.indexOf(stream[ref] ?? -1, ref + 1);
    return next < 0 ? Number.POSITIVE_INFINITY : next;
  };
  // The order of eviction: the first of the sorted blocks goes.
  const keys: Record<Exclude<CachePolicyId, 'lru-prefix'>, (b: Cached) => number[]> = {
    lru: (b) => [b.used],
    fifo: (b) => [b.inserted],
    lfu: (b) => [b.uses, b.used],
    'length-aware': (b) => [b.uses, -b.position, b.used],
    belady: (b) => [-nextUse(b.used), b.used],
  };
  const key = policy === 'lru-prefix' ? keys.lru : keys[policy];
  let cache: Cached[] = [];
  let hits = 0;
  let prefixHits = 0;
  let tokens = 0;
  let evictions = 0;
  let ref = 0;
  for (const ids of requests) {
    let leading = true;
    let prefix = 0;
    ids.forEach((id, position) => {
      const found = cache.find((b) => b.id === id);
      if (found !== undefined) {
        hits++;
        if (leading) prefix++;
        found.uses++;
        found.position = position;
        found.used = ref;
      } else {
        leading = false;
        if (cache.length >= capacity) {
          const victim = [...cache].sort((a, b) =>
            key(a).reduce((order, k, i) => order || k - (key(b)[i] ?? 0), 0),
          )[0];
          cache = cache.filter((b) => b !== victim);
          evictions++;
        }
        cache.push({ id, uses: 1, position, used: ref, inserted: ref });
      }
      ref++;
    });
    prefixHits += prefix;
    tokens += Math.min(512 * prefix, ids.length * 512 - 100);
  }
  return {
    block_refs: stream.length,
    hits,
    hit_rate: hits / stream.length,
    prefix_hits: prefixHits,
    prefix_hit_tokens: tokens,
    evictions,
  };
}

function naivePrefix(
  requests: readonly (readonly number[])[],
  capacity: number,
  instances: number,
  routing: string,
) {
  const caches: number[][] = Array.from({ length: instances }, () => []);
  const assigned = caches.map(() => 0);
  const perInstance = caches.map(() => ({ requests: 0, hits: 0 }));
  let hits = 0;
  let prefixHits = 0;
  let tokens = 0;
  let evictions = 0;
  requests.forEach((ids, r) => {
    const prefixOn = (cache: readonly number[]): number => {
      const miss = ids.findIndex((id) => !cache.includes(id));
      return miss < 0 ? ids.length : miss;
    };
    const byTokens = (a: number, b: number): number => (assigned[a] ?? 0) - (assigned[b] ?? 0) || a - b;
    const least = caches.map((_, i) => i).sort(byTokens)[0] ?? 0;
    const lengths = caches.map(prefixOn);
    const longest =
      caches.map((_, i) => i).sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || byTokens(a, b))[0] ?? 0;
    const share = routing.startsWith('threshold:') ? Number(routing.slice(10)) : 0;
    const chosen =
      routing === 'rr'
        ? r % instances
        : routing === 'least-tokens'
          ? least
          : routing === 'longest-prefix'
            ? longest
            : (lengths[longest] ?? 0) > share * ids.length
              ? longest
              : least;
    let cache = caches[chosen] ?? [];
    const prefix = prefixOn(cache);
    const found = ids.filter((id) => cache.includes(id)).length;
    // What the request uses is not evicted for its sake.
    cache = cache.filter((id) => !ids.includes(id));
    for (const id of [...ids].reverse()) {
      if (cache.length >= capacity) {
        cache = cache.slice(1);
        evictions++;
      }
      cache.push(id);
    }
    caches[chosen] = cache;
    const counts = perInstance[chosen];
    if (counts !== undefined) {
      counts.requests++;
      counts.hits += found;
    }
    assigned[chosen] = (assigned[chosen] ?? 0) + ids.length * 512 - 100;
    hits += found;
    prefixHits += prefix;
    tokens += Math.min(512 * prefix, ids.length * 512 - 100);
  });
  const refs = requests.flat().length;
  return {
    block_refs: refs,
    hits,
    hit_rate: hits / refs,
    prefix_hits: prefixHits,
    prefix_hit_tokens: tokens,
    evictions,
    per_instance: perInstance,
  };
}

// ---- Random traces: a forest, as real ones are, and any ids at all.

/** Each request walks down a tree of prefixes: the id of a block is the path that leads to it. */
const forest = fc
  .array(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((paths) => {
    const ids = new Map<string, number>();
    return paths.map((path) =>
      path.map((_, i) => {
        const prefix = path.slice(0, i + 1).join();
        const id = ids.get(prefix) ?? ids.size;
        ids.set(prefix, id);
        return id;
      }),
    );
  });
const anyIds = fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 60,
});
const capacity = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(Number.POSITIVE_INFINITY));
const flatPolicy = fc.constantFrom<CachePolicyId>('lru', 'lfu', 'fifo', 'length-aware', 'belady');
const routingText = fc.constantFrom(
  'rr',
  'least-tokens',
  'longest-prefix',
  'threshold:0',
  'threshold:0.5',
  'threshold:1',
);

describe('PrefixCache', () => {
  it('has what was inserted and not evicted', () => {
    fc.assert(
      fc.property(fc.oneof(forest, anyIds), fc.integer({ min: 1, max: 20 }), (requests, blocks) => {
        const cache = new PrefixCache(400, blocks);
        let inserted = 0;
        for (const request of requests) {
          const ids = Int32Array.from(request);
          inserted += ids.length - cache.cached(ids, 0, ids.length);
          cache.store(ids, 0, ids.length);
        }
        if (requests.every((ids) => ids.length <= blocks))
          expect(inserted).toBe(cache.evictions + cache.size);
        expect(cache.size).toBeLessThanOrEqual(blocks);
      }),
    );
  });
});

describe('replayTrace', () => {
  it('agrees with the naive caches', () => {
    fc.assert(
      fc.property(fc.oneof(forest, anyIds), flatPolicy, capacity, (requests, policy, blocks) => {
        expect(replayTrace(traceOf(requests), { policy, capacity: blocks })).toEqual(
          naiveFlat(requests, policy, blocks),
        );
      }),
      { numRuns: 400 },
    );
  });

  it('does not evict what the request at hand uses, where it is pinned', () => {
    // 0 was used first, so FIFO drops it for 2, though the same request has just found it; pinned, 1 goes.
    const trace = traceOf([[0, 1], [0, 2], [0]]);
    expect(replayTrace(trace, { policy: 'fifo', capacity: 2 })).toMatchObject({ hits: 1, evictions: 2 });
    expect(replayTrace(trace, { policy: 'fifo', capacity: 2, pinned: true })).toMatchObject({
      hits: 2,
      evictions: 1,
    });
    expect(() => replayTrace(trace, { policy: 'fifo', capacity: 1, pinned: true })).toThrow(
      'capacity 1, expected at least the 2 blocks of request 0',
    );
    expect(() => replayTrace(trace, { policy: 'lru-prefix', capacity: 2, pinned: true })).toThrow(
      'expected a flat policy',
    );
  });

  it('agrees with the naive instances', () => {
    fc.assert(
      fc.property(
        fc.oneof(forest, anyIds),
        capacity,
        fc.integer({ min: 1, max: 4 }),
        routingText,
        (requests, blocks, instances, text) => {
          const found = replayTrace(traceOf(requests), {
            policy: 'lru-prefix',
            capacity: blocks,
            instances,
            routing: parseRouting(text),
          });
          expect(found).toEqual(naivePrefix(requests, blocks, instances, text));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('never has more hits than with the future known, and all that are possible without a limit', () => {
    fc.assert(
      fc.property(forest, flatPolicy, fc.integer({ min: 1, max: 20 }), (requests, policy, blocks) => {
        const traffic = traceOf(requests);
        const { hits, evictions, block_refs } = replayTrace(traffic, { policy, capacity: blocks });
        expect(hits).toBeLessThanOrEqual(replayTrace(traffic, { policy: 'belady', capacity: blocks }).hits);
        // Every miss inserts, and what is inserted stays or is evicted.
        expect(block_refs - hits - evictions).toBeLessThanOrEqual(blocks);
        const unlimited = replayTrace(traffic, { policy, capacity: Number.POSITIVE_INFINITY });
        expect(unlimited.hits).toBe(block_refs - traffic.uniqueBlocks);
      }),
    );
  });

  it('keeps the cached set of lru-prefix prefix-closed: on a forest every hit is a prefix hit', () => {
    fc.assert(
      fc.property(forest, capacity, (requests, blocks) => {
        const { hits, prefix_hits } = replayTrace(traceOf(requests), {
          policy: 'lru-prefix',
          capacity: blocks,
        });
        expect(prefix_hits).toBe(hits);
      }),
    );
  });

  it('counts tokens of a partial last block once', () => {
    const traffic = traceOf([
      [1, 2],
      [1, 2],
    ]);
    expect(replayTrace(traffic, { policy: 'lru', capacity: 10 })).toMatchObject({
      prefix_hits: 2,
      prefix_hit_tokens: 924,
    });
  });

  it('says what is wrong with its input', () => {
    const traffic = traceOf([[1]]);
    expect(() => replayTrace({ ...traffic, blockTokens: 0 }, { policy: 'lru', capacity: 1 })).toThrow(
      'knows no prefixes',
    );
    expect(() => replayTrace(traffic, { policy: 'lru', capacity: 0 })).toThrow('capacity 0');
    expect(() => replayTrace(traffic, { policy: 'fifo', capacity: 1, instances: 2 })).toThrow(
      'expected lru-prefix',
    );
    expect(() => replayTrace(traffic, { policy: 'lru-prefix', capacity: 1, instances: 0 })).toThrow(
      'instances 0',
    );
    for (const text of ['x', 'threshold:', 'threshold:1.5', 'threshold:-1'])
      expect(() => parseRouting(text)).toThrow(InputError);
    for (const text of ['0', '-3', '1.5', '', 'infinity'])
      expect(() => parseCapacity(text)).toThrow(InputError);
    expect(parseCapacity('inf')).toBe(Number.POSITIVE_INFINITY);
    expect(() => parsePolicy('mru')).toThrow('expected one of lru, lru-prefix');
  });
});

const data = process.env['DYNO_DATA'] ?? '';
const file = join(data, 'traces', 'mooncake-conversation.jsonl');
describe.skipIf(data === '' || !existsSync(file))(
  'the Mooncake conversation trace (skipped without DYNO_DATA)',
  async () => {
    const traffic =
      data === '' || !existsSync(file) ? undefined : await readTrace(file, createReadStream(file));
    const replay = (...[options]: [Parameters<typeof replayTrace>[1]]) => {
      if (traffic === undefined) throw new Error('no trace');
      return replayTrace(traffic, options);
    };

    // Published figures: block LRU over the flattened stream, 288,500 references.
    it.each([
      [Number.POSITIVE_INFINITY, 105_710],
      [50_000, 102_290],
      [10_000, 60_921],
    ])('LRU with %d blocks has %d hits', (blocks, hits) => {
      const found = replay({ policy: 'lru', capacity: blocks });
      expect([found.block_refs, found.hits]).toEqual([288_500, hits]);
    });

    it('greedy longest prefix puts all requests on one of eight instances, since all share block 0', () => {
      const { per_instance } = replay({
        policy: 'lru-prefix',
        capacity: 5859,
        instances: 8,
        routing: { kind: 'longest-prefix' },
      });
      expect(per_instance?.map((i) => i.requests)).toEqual([12_031, 0, 0, 0, 0, 0, 0, 0]);
    });

    it('a threshold keeps both: hits ≥ .345 at an imbalance ≤ 1.15', () => {
      const { hit_rate, per_instance = [] } = replay({
        policy: 'lru-prefix',
        capacity: 5859,
        instances: 8,
        routing: { kind: 'threshold', share: 0.3 },
      });
      expect(hit_rate).toBeGreaterThanOrEqual(0.345);
      expect((Math.max(...per_instance.map((i) => i.requests)) * 8) / 12_031).toBeLessThanOrEqual(1.15);
    });

    it('all policies agree without a limit', () => {
      for (const { id } of cachePolicies)
        expect(replay({ policy: id, capacity: Number.POSITIVE_INFINITY }).hits).toBe(105_710);
    });
  },
);
