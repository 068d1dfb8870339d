import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { invariantsOf } from '../engines/sim/invariants.ts';
import { simReplicate } from '../engines/sim/simReplicate.ts';
import {
  KeepingSink,
  runSpecOn,
  type TinyCluster,
  tinyRun,
  tinySpec,
  tinyTraffic,
} from '../engines/sim/tinyRun.ts';
import { Recorder } from '../record/recorder.ts';
import { InputError } from '../run/inputError.ts';

/** Blocks of 4 tokens of an 8B model take 1 ms over this link, and 4 ms to compute. */
const cluster = (fetch: boolean, more: TinyCluster = {}): TinyCluster => ({
  instances: [{}, {}],
  // The first of two equal instances is drawn for the first request.
  seed: 2,
  blockTokens: 4,
  linkGbPerS: 0.524288,
  router: 'mooncake_conductor',
  routerParameters: { fetch_prefix: fetch, kvcache_balancing_threshold: 1 },
  ...more,
});
const ids = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

describe('a prefix in another instance’s HBM', () => {
  // 0 leaves blocks 1 … 5 on the first instance, 1 keeps it busy from 30 to 430 ms, and 2 needs 1 … 5 and one block more.
  const requests = [
    { at: 0, prompt: 20, output: 1, ids: ids(1, 5) },
    { at: 30, prompt: 400, output: 1, ids: ids(50, 100) },
    { at: 40, prompt: 24, output: 1, ids: ids(1, 6) },
  ];

  test('is fetched over the link, and then the rest is computed', () => {
    const run = tinyRun(cluster(true), requests, 4);
    // 40: five blocks on their way, 45: four tokens to compute.
    expect(run.requests[2]).toMatchObject({ prefillInstance: 1, cached: 20, scheduled: 45, first: 49 });
    expect(run.sink.table('kv')).toMatchObject([
      {
        kind: 'prefix',
        request: 2,
        from_instance: 0,
        to_instance: 1,
        blocks: 5,
        time_ns: 40e6,
        duration_ns: 5e6,
      },
    ]);
    expect(run.summary.kv.prefix_fetches).toEqual({
      fetches: 1,
      blocks: 5,
      bytes: 5 * 524288,
      wait_s: 0.005,
      refused: 0,
    });
  });

  test('is computed again where fetching is only scored', () => {
    const run = tinyRun(cluster(false), requests, 4);
    expect(run.requests[2]).toMatchObject({ prefillInstance: 1, cached: 0, first: 64 });
    expect(run.summary.kv.prefix_fetches).toBeUndefined();
  });

  test('stays where it is if the target has no room for it', () => {
    const run = tinyRun(
      cluster(true, { seed: 11, instances: [{ blocks: 30 }, { blocks: 12 }] }),
      [
        { at: 0, prompt: 20, output: 1, ids: ids(1, 5) },
        { at: 30, prompt: 40, output: 1, ids: ids(50, 10) },
        // To the second instance, where it decodes for a second in nine blocks of twelve and more.
        { at: 35, prompt: 36, output: 12, ids: ids(70, 9) },
        { at: 200, prompt: 40, output: 1, ids: ids(90, 10) },
        { at: 210, prompt: 24, output: 1, ids: ids(1, 6) },
      ],
      4,
    );
    expect(run.summary.kv.prefix_fetches).toMatchObject({ fetches: 0, refused: 1 });
    expect(run.requests[4]).toMatchObject({ prefillInstance: 1, cached: 0 });
  });

  test('is not fetched in a cluster whose instances may go', () => {
    const spec = tinySpec(cluster(true, { timeline: [{ event: 'crash', at_s: 1, instance: 0 }] }));
    expect(() => runSpecOn(spec, tinyTraffic(requests, 4))).toThrow(InputError);
  });
});

test('any requests on any pools: every invariant holds after every event, and looking changes nothing', () => {
  const drawn = fc.array(
    fc.record({
      gap: fc.integer({ min: 0, max: 40 }),
      turns: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 5 }),
      output: fc.integer({ min: 1, max: 12 }),
    }),
    { minLength: 10, maxLength: 60 },
  );
  const roles = fc.constantFrom(
    ['mixed', 'mixed', 'mixed'] as const,
    ['prefill', 'prefill', 'decode'] as const,
  );
  let fetched = 0;
  fc.assert(
    fc.property(drawn, roles, fc.integer({ min: 9, max: 16 }), (requests, pools, blocks) => {
      let at = 0;
      const traffic = tinyTraffic(
        requests.map(({ gap, turns, output }) => {
          at += gap;
          let node = 0;
          const path = turns.map((turn) => {
            node = 2 * node + 1 + turn;
            return node;
          });
          return { at, prompt: 4 * path.length - 1, output, ids: path };
        }),
        4,
      );
      const spec = tinySpec(
        cluster(true, {
          instances: pools.map((pool) => ({ pool, blocks, decode: 50 })),
          budget: 16,
          sequences: 6,
        }),
      );
      const run = (check: boolean) => {
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
        const held = invariantsOf(replicate);
        replicate.onEvent = () => {
          held();
          if (check) for (const instance of replicate.instances) instance.advanceTo(replicate.clock);
        };
        expect(replicate.advance(Number.POSITIVE_INFINITY, 20_000)).toBe(true);
        expect(replicate.completed).toBe(requests.length);
        for (const instance of replicate.instances) expect(instance.pool.used).toBe(0);
        fetched += replicate.prefixFetches?.summary.fetches ?? 0;
        return [...replicate.requests.finishNs];
      };
      expect(run(true)).toEqual(run(false));
    }),
    { numRuns: 100, endOnFailure: true },
  );
  expect(fetched).toBeGreaterThan(100);
});
