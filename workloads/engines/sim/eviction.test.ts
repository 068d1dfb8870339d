import { createReadStream } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { replayTrace } from '../../cache/replayTrace.ts';
import { Recorder } from '../../record/recorder.ts';
import type { EvictionPolicy } from '../../run/kvSpec.ts';
import { readTraffic } from '../../traffic/readTraffic.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { invariantsOf } from './invariants.ts';
import { simReplicate } from './simReplicate.ts';
import { KeepingSink, runSpecOn, tinyRun, tinySpec, tinyTraffic } from './tinyRun.ts';

/** One instance that has computed each request before the next one comes: what the cache does then is no matter of time. */
function oneAtATime(traffic: Traffic, eviction: EvictionPolicy, blocks: number) {
  const apart: Traffic = {
    ...traffic,
    arrivalNs: Float64Array.from({ length: traffic.requests }, (_, r) => r * 1e9),
    outputTokens: new Int32Array(traffic.requests).fill(1),
  };
  const spec = tinySpec({
    instances: [{ prefill: 1e9, decode: 1e9, blocks }],
    blockTokens: traffic.blockTokens,
    budget: 1_000_000,
    kv: { eviction },
  });
  return runSpecOn({ ...spec, detail: { requests: 'none', decisions: 'none', iterations: 'none' } }, apart)
    .summary.kv;
}

/** Requests whose ids are paths in a tree: equal ids mean equal prefixes, as in a real trace. */
const paths = fc
  .array(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 6 }), {
    minLength: 1,
    maxLength: 80,
  })
  .map((drawn) => {
    const ids = new Map<string, number>();
    return drawn.map((path) =>
      path.map((_, i) => {
        const prefix = path.slice(0, i + 1).join();
        const id = ids.get(prefix) ?? ids.size;
        ids.set(prefix, id);
        return id;
      }),
    );
  });
const trafficOf = (requests: readonly (readonly number[])[]) =>
  tinyTraffic(
    requests.map((ids, r) => ({ at: r, prompt: 4 * ids.length - 1, output: 1, ids })),
    4,
  );
const flat = fc.constantFrom('lru', 'fifo', 'lfu', 'length-aware', 'belady');

describe('eviction in the simulator', () => {
  test('LFU drops the head of a prefix, and its tail lies stranded until the head is computed again', () => {
    // Four blocks. 1 2 3 4 are used twice each, 5 evicts 1, the oldest of them; 1 evicts 5, used once, and 2 is computed where it lies.
    const run = tinyRun(
      { instances: [{ blocks: 4, prefill: 1e6 }], blockTokens: 4, kv: { eviction: 'lfu' } },
      [
        { at: 0, prompt: 8, output: 1, ids: [1, 2] },
        { at: 10, prompt: 8, output: 1, ids: [1, 2] },
        { at: 20, prompt: 8, output: 1, ids: [3, 4] },
        { at: 30, prompt: 8, output: 1, ids: [3, 4] },
        { at: 40, prompt: 4, output: 1, ids: [5] },
        { at: 50, prompt: 8, output: 1, ids: [1, 2] },
        { at: 60, prompt: 8, output: 1, ids: [1, 2] },
      ],
      4,
    );
    expect(run.requests.map((r) => r.cached)).toEqual([0, 7, 0, 7, 0, 0, 7]);
    expect(run.summary.kv).toMatchObject({ hits: 6, stranded: 1, evictions: 2 });
  });

  test('any trace, one request at a time: the replay of the same blocks, pinned while they are in use', () => {
    fc.assert(
      fc.property(paths, flat, fc.integer({ min: 6, max: 24 }), (requests, policy, capacity) => {
        const traffic = trafficOf(requests);
        const replay = replayTrace(traffic, { policy, capacity, pinned: true });
        const kv = oneAtATime(traffic, policy, capacity);
        expect({
          prefix_hits: kv.hits,
          hits: kv.hits + (kv.stranded ?? Number.NaN),
          evictions: kv.evictions,
        }).toEqual({ prefix_hits: replay.prefix_hits, hits: replay.hits, evictions: replay.evictions });
      }),
      { numRuns: 300 },
    );
  });

  test('pinning changes nothing for LRU: what a request uses is the newest anyway', () => {
    fc.assert(
      fc.property(paths, fc.integer({ min: 6, max: 24 }), (requests, capacity) => {
        const traffic = trafficOf(requests);
        expect(replayTrace(traffic, { policy: 'lru', capacity, pinned: true })).toEqual(
          replayTrace(traffic, { policy: 'lru', capacity }),
        );
      }),
    );
  });

  test('many requests at once on several instances: every invariant holds after every event', () => {
    const drawn = fc.record({
      gaps: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 80, maxLength: 80 }),
      outputs: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 80, maxLength: 80 }),
      roles: fc.constantFrom(['mixed', 'mixed'] as const, ['prefill', 'decode', 'mixed'] as const),
    });
    fc.assert(
      fc.property(paths, flat, drawn, (requests, eviction, { gaps, outputs, roles }) => {
        let at = 0;
        const traffic = tinyTraffic(
          requests.map((ids, r) => {
            at += gaps[r] ?? 0;
            return { at, prompt: 4 * ids.length - 1, output: outputs[r] ?? 1, ids };
          }),
          4,
        );
        const spec = tinySpec({
          instances: roles.map((pool) => ({ pool, blocks: 16, decode: 50 })),
          blockTokens: 4,
          budget: 16,
          sequences: 6,
          kv: { eviction },
        });
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
        replicate.onEvent = invariantsOf(replicate);
        while (!replicate.advance(Number.POSITIVE_INFINITY, 1000));
        expect(replicate.completed).toBe(requests.length);
        expect(runSpecOn(spec, traffic)).toEqual(runSpecOn(spec, traffic));
      }),
      { numRuns: 150 },
    );
  });
});

const data = process.env['DYNO_DATA'] ?? '';
describe.skipIf(data === '')('Mooncake conversation trace through the simulator', () => {
  const read = () =>
    readTraffic(
      {
        kind: 'trace',
        path: `${data}/traces/mooncake-conversation.jsonl`,
        format: 'mooncake',
        speedup: 1,
      },
      (file) => createReadStream(file),
    );

  test('flat LRU finds 60,921 of 288,500 blocks in 10,000, and 102,290 in 50,000', async () => {
    const traffic = await read();
    for (const [blocks, hits] of [
      [10_000, 60_921],
      [50_000, 102_290],
    ] as const) {
      const kv = oneAtATime(traffic, 'lru', blocks);
      expect(kv.hits + (kv.stranded ?? Number.NaN)).toBe(hits);
      expect(kv.hits).toBe(replayTrace(traffic, { policy: 'lru', capacity: blocks }).prefix_hits);
    }
  });

  test.each(['fifo', 'lfu', 'length-aware', 'belady'] as const)(
    '%s agrees with the pinned replay',
    async (policy) => {
      const traffic = await read();
      const replay = replayTrace(traffic, { policy, capacity: 10_000, pinned: true });
      const kv = oneAtATime(traffic, policy, 10_000);
      expect([kv.hits, kv.hits + (kv.stranded ?? Number.NaN), kv.evictions]).toEqual([
        replay.prefix_hits,
        replay.hits,
        replay.evictions,
      ]);
    },
  );
});
