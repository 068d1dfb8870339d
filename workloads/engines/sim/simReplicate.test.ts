import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Recorder } from '../../record/recorder.ts';
import type { RunSpec } from '../../run/spec.ts';
import { Phase } from '../../serving/requestTable.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import { simEngine } from './engine.ts';
import { invariantsOf } from './invariants.ts';
import { simReplicate } from './simReplicate.ts';
import { KeepingSink, runSpecOn, type TinyCluster, tinySpec, tinyTraffic } from './tinyRun.ts';

const blockTokens = 4;

/** Requests whose ids are paths in a tree: equal ids mean equal prefixes, as in a real trace. */
const requests = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 400 }),
    turns: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 5 }),
    last: fc.integer({ min: 1, max: blockTokens }),
    output: fc.integer({ min: 1, max: 30 }),
    priority: fc.integer({ min: 0, max: 2 }),
  }),
  { minLength: 1, maxLength: 40 },
);

const roles = fc.constantFrom(
  ['mixed'] as const,
  ['mixed', 'mixed', 'mixed'] as const,
  ['prefill', 'decode'] as const,
  ['prefill', 'decode', 'mixed', 'decode'] as const,
);

const cluster = fc.record({
  roles,
  blocks: fc.integer({ min: 13, max: 40 }),
  budget: fc.constantFrom(8, 16, 64),
  sequences: fc.integer({ min: 1, max: 8 }),
  reuse: fc.boolean(),
  router: fc.constantFrom('round_robin', 'score', 'as_published'),
  refresh: fc.constantFrom(0, 50, 700),
  handOff: fc.constantFrom('never', 'conditional'),
  link: fc.constantFrom(0.001, 0.1, 10),
  transfer: fc.constantFrom(
    undefined,
    { kind: 'per_request' } as const,
    { kind: 'blocking' } as const,
    { kind: 'batched', window_ms: 30, requests: 3 } as const,
    { kind: 'layerwise', layers: 4 } as const,
  ),
  conditional: fc.constantFrom(undefined, { max_local_tokens: 8, max_prefill_queue: 1 }),
});

type Drawn = typeof requests extends fc.Arbitrary<infer T> ? T : never;
type DrawnCluster = typeof cluster extends fc.Arbitrary<infer T> ? T : never;

function trafficOf(drawn: Drawn, withIds: boolean): Traffic {
  let at = 0;
  return tinyTraffic(
    drawn.map((r) => {
      at += r.gap;
      let node = 0;
      const ids = r.turns.map((turn) => {
        node = 2 * node + 1 + turn;
        return node;
      });
      return {
        at,
        prompt: (r.turns.length - 1) * blockTokens + r.last,
        output: r.output,
        priority: r.priority,
        ...(withIds ? { ids } : {}),
      };
    }),
    blockTokens,
  );
}

function specOf(c: DrawnCluster): RunSpec {
  const tiny: TinyCluster = {
    instances: c.roles.map((pool, i) => ({
      pool,
      blocks: c.blocks,
      prefill: 1000 - 200 * i,
      decode: 20 + 10 * i,
    })),
    budget: c.budget,
    sequences: c.sequences,
    blockTokens,
    reuse: c.reuse,
    router: c.router,
    linkGbPerS: c.link,
    slo: { ttft_ms: 200, tpot_ms: 150 },
    ...(c.transfer === undefined
      ? {}
      : {
          handoff: {
            transfer: c.transfer,
            ...(c.conditional === undefined ? {} : { conditional: c.conditional }),
          },
        }),
    routerParameters: {
      telemetry_refresh_ms: c.refresh,
      hand_off: c.handOff,
      migration_gap: 0.05,
      hysteresis: 0,
      migration_cooldown_ms: 100,
    },
  };
  return tinySpec(tiny);
}

describe('any cluster, any requests', () => {
  test('keep every invariant after every event, and finish', () => {
    fc.assert(
      fc.property(requests, cluster, fc.boolean(), (drawn, c, withIds) => {
        const spec = specOf(c);
        const traffic = trafficOf(drawn, withIds);
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
        replicate.onEvent = invariantsOf(replicate);
        expect(replicate.advance(Number.POSITIVE_INFINITY, 5_000)).toBe(true);
        expect(replicate.completed).toBe(traffic.requests);
        for (const instance of replicate.instances) expect(instance.pool.used).toBe(0);
        expect([...replicate.requests.phase].every((p) => p === Phase.completed)).toBe(true);
        const produced = replicate.instances.reduce((sum, i) => sum + i.counters.outputTokensDone, 0);
        expect(produced).toBe([...traffic.outputTokens].reduce((a, b) => a + b, 0));
        expect(replicate.itlMs.n).toBe(produced - traffic.requests);
      }),
      { numRuns: 150, endOnFailure: true },
    );
  });

  test('looking at the instances more often changes nothing', () => {
    fc.assert(
      fc.property(requests, cluster, (drawn, c) => {
        const spec = specOf(c);
        const traffic = trafficOf(drawn, true);
        const times = (curious: boolean) => {
          const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
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
      { numRuns: 100, endOnFailure: true },
    );
  });

  test('the same spec gives the same bytes, in one go or in small steps', () => {
    fc.assert(
      fc.property(requests, cluster, (drawn, c) => {
        const spec = specOf(c);
        const traffic = trafficOf(drawn, true);
        const whole = runSpecOn(spec, traffic);
        const again = runSpecOn(spec, traffic);
        expect(JSON.stringify(again.summary)).toBe(JSON.stringify(whole.summary));
        for (const table of ['requests', 'iterations', 'decisions', 'kv', 'samples']) {
          expect(JSON.stringify(again.sink.table(table))).toBe(JSON.stringify(whole.sink.table(table)));
        }
        const sink = new KeepingSink();
        const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, sink), () => {});
        for (let t = 0; !replicate.advance(t, 3); t += 37e6) if (t > 1e15) throw new Error('never ends');
        expect([...replicate.requests.finishNs].length).toBe(traffic.requests);
        expect(replicate.completed).toBe(whole.summary.requests.completed);
        expect(replicate.lastFinish / 1e9).toBe(whole.summary.makespan_s);
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });
});

describe('replicates', () => {
  test('run one after the other on one clock and are summed up', () => {
    const traffic = tinyTraffic([
      { at: 0, prompt: 100, output: 3 },
      { at: 30, prompt: 50, output: 2 },
    ]);
    const one = runSpecOn(tinySpec({}), traffic);
    const three = runSpecOn(tinySpec({ replicates: 3 }), traffic);
    expect(three.summary.iterations).toBe(3);
    expect(three.summary.requests.completed).toBe(6);
    expect(three.summary.makespan_s).toBeCloseTo(3 * one.summary.makespan_s, 9);
    expect(three.summary.metrics.ttft_ms?.mean).toBe(one.summary.metrics.ttft_ms?.mean);
    expect(three.sink.table('requests').map((row) => row['iteration'])).toEqual([0, 0, 1, 1, 2, 2]);
  });

  test('a run that is stopped writes its unfinished requests', () => {
    const spec = tinySpec({});
    const traffic = tinyTraffic([
      { at: 0, prompt: 100, output: 100 },
      { at: 50, prompt: 100, output: 2 },
    ]);
    const sink = new KeepingSink();
    const run = simEngine.open(spec, () => traffic, sink);
    expect(run.step(1e9, 1000)).toBe(false);
    expect(run.clock).toBe(1e9);
    const summary = run.finish();
    expect(summary.requests).toMatchObject({ arrived: 2, completed: 1, unfinished: 1 });
    expect(sink.table('requests').map((row) => [row['request'], row['status']])).toEqual([
      [1, 'completed'],
      [0, 'unfinished'],
    ]);
  });
});
