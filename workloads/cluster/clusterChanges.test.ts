import { describe, expect, test } from 'vitest';
import { type TinyCluster, type TinyRequest, tinyRun } from '../engines/sim/tinyRun.ts';
import type { AutoscalingSpec, TimelineEvent } from '../run/timelineSpec.ts';

// 1 ms per prompt token, 100 ms per output token of the whole batch, unless said otherwise; a retry takes 1 ms.

const two: TinyCluster = { instances: [{}, {}] };
const request = (at: number, prompt = 100, output = 3): TinyRequest => ({ at, prompt, output });
const at = (ms: number, event: TimelineEvent['event'], more: object = {}): TimelineEvent =>
  ({ event, at_s: ms / 1000, instance: 0, ...more }) as TimelineEvent;
const kinds = (run: ReturnType<typeof tinyRun>) =>
  run.sink.table('events').map((row) => [Number(row['time_ns']) / 1e6, row['kind'], row['instance']]);

describe('a crash', () => {
  test('while decoding: what was streamed counts once, the rest is computed again elsewhere', () => {
    // i0  ├ prompt 0–100 ┤ token 2 ┤ tok✗ 250
    // i1                              251 ├ 100 + 2 tokens again ┤ 353: token 3
    const run = tinyRun({ ...two, timeline: [at(250, 'crash')] }, [request(0)]);
    expect(run.requests[0]).toMatchObject({ first: 100, finish: 353, prefillInstance: 0, decodeInstance: 1 });
    expect(run.summary.metrics.itl_ms?.n).toBe(2);
    expect(run.summary.metrics.itl_ms?.max).toBeCloseTo(153, 9);
    expect(run.summary.fleet).toMatchObject({
      crashes: 1,
      lost_requests: 1,
      bounces: 0,
      lost_kv_tokens: 101,
    });
    expect(run.summary.output_tokens_per_s * run.summary.makespan_s).toBeCloseTo(3, 9);
    expect(kinds(run)).toEqual([
      [250, 'crash', 0],
      [250, 'lost', 0],
      [250, 'detected', 0],
    ]);
  });

  test('during the prompt: the first token comes from elsewhere', () => {
    const { requests } = tinyRun({ ...two, timeline: [at(50, 'crash')] }, [request(0)]);
    expect(requests[0]).toMatchObject({ scheduled: 0, first: 151, finish: 351, prefillInstance: 1 });
  });

  test('before it is noticed, requests bounce and are sent on after the retry', () => {
    // Round robin knows nothing until 2 s: every second request goes to the dead instance first.
    const run = tinyRun(
      {
        ...two,
        timeline: [at(0, 'crash')],
        health: { detection_s: 2, retry_ms: 10, breaker_failures: 0 },
      },
      [request(100), request(1000), request(3000)],
    );
    expect(run.requests.map((r) => [r.scheduled, r.prefillInstance])).toEqual([
      [110, 1],
      [1010, 1],
      [3000, 1],
    ]);
    expect(run.summary.fleet).toMatchObject({ bounces: 2 });
  });

  test('a breaker takes the instance out after so many failures in a row', () => {
    const run = tinyRun(
      {
        ...two,
        timeline: [at(0, 'crash')],
        health: { detection_s: 60, retry_ms: 10, breaker_failures: 1 },
      },
      [request(100), request(1000), request(3000)],
    );
    expect(run.summary.fleet).toMatchObject({ bounces: 1 });
    expect(kinds(run)).toContainEqual([100, 'detected', 0]);
  });

  test('a router with old telemetry hears of it with the next refresh', () => {
    const run = tinyRun(
      {
        ...two,
        router: 'least_outstanding',
        routerParameters: { telemetry_refresh_ms: 500 },
        timeline: [at(10, 'crash')],
      },
      // Two at once: one of them goes to the instance that is gone.
      [request(100), request(100), request(600)],
    );
    expect(run.summary.fleet?.bounces).toBeGreaterThan(0);
    expect(kinds(run)).toContainEqual([500, 'detected', 0]);
  });

  test('of the only instance: requests wait for its recovery, or are rejected where none comes', () => {
    const alone = (timeline: TimelineEvent[]) => tinyRun({ timeline }, [request(0), request(500)]);
    const back = alone([at(150, 'crash'), at(1000, 'recover', { startup_s: 2 })]);
    // At 3 s one pass computes 100 + 1 tokens of the first and 100 of the second; the first has one token more to show.
    expect(back.requests.map((r) => r.finish)).toEqual([3201 + 200, 3201 + 200 + 100]);
    const gone = alone([at(150, 'crash')]);
    expect(gone.summary.requests).toMatchObject({ completed: 0, rejected: 2, unfinished: 0 });
  });

  test('of the decode instance during a transfer: the prefill instance still has it and sends it on', () => {
    // 100 tokens at 0.1 GB/s take 131.072 ms: 100–231 to i1, which goes at 200; then to i2.
    const run = tinyRun(
      {
        instances: [{ pool: 'prefill' }, { pool: 'decode' }, { pool: 'decode' }],
        linkGbPerS: 0.1,
        timeline: [at(200, 'crash', { instance: 1 })],
      },
      [request(0, 100, 2)],
    );
    expect(run.requests[0]).toMatchObject({ first: 100, prefillInstance: 0, decodeInstance: 2 });
    // The link of the sender is taken until 231.072 by what is lost on the way.
    expect(run.requests[0]?.transfer).toBeCloseTo(262.144, 5);
    expect(run.summary.fleet).toMatchObject({ lost_requests: 0, lost_kv_tokens: 0 });
  });
});

describe('slow, drained, changed', () => {
  test('a slow instance takes longer from its next pass on', () => {
    // Token 2 is under way at 150 and ends at 200; token 3 takes 200 ms, and 4, healthy again at 350, 100.
    const { requests } = tinyRun(
      { timeline: [at(150, 'slow', { factor: 2 }), at(350, 'slow', { factor: 1 })] },
      [request(0, 100, 4)],
    );
    expect(requests[0]?.finish).toBe(500);
  });

  test('a degraded link slows the transfers that start then', () => {
    const pools = [{ pool: 'prefill' }, { pool: 'decode' }] as const;
    const { requests } = tinyRun(
      { instances: pools, linkGbPerS: 1, timeline: [at(150, 'link', { factor: 0.1, instance: 1 })] },
      [request(0, 100, 2), request(500, 100, 2)],
    );
    expect(requests.map((r) => r.transfer)).toEqual([expect.closeTo(13.1072, 5), expect.closeTo(131.072, 5)]);
  });

  test('a draining instance ends what it has and gets nothing new', () => {
    const run = tinyRun({ ...two, timeline: [at(50, 'drain')] }, [request(0), request(60), request(120)]);
    expect(run.requests.map((r) => r.prefillInstance)).toEqual([0, 1, 1]);
    expect(run.requests[0]?.finish).toBe(300);
    expect(kinds(run)).toContainEqual([350, 'off', 0]);
    // Paid until off: 0.35 s + the other one until the end.
    const end = run.summary.makespan_s;
    expect(run.summary.fleet?.gpu_hours).toBeCloseTo((0.35 + end) / 3600, 12);
  });

  test('a change of pool waits for what is there', () => {
    const run = tinyRun(
      {
        instances: [{ pool: 'prefill' }, { pool: 'decode' }, { pool: 'decode' }],
        timeline: [at(150, 'role', { instance: 2, pool: 'prefill' })],
      },
      [request(0), request(1000), request(1001)],
    );
    expect(run.summary.fleet).toMatchObject({ role_changes: 1 });
    expect(run.requests.map((r) => [r.prefillInstance, r.decodeInstance])).toEqual([
      [0, 1],
      [2, 1],
      [0, 1],
    ]);
  });
});

describe('autoscaling', () => {
  const scaled = (policy: AutoscalingSpec['policy'], more: Partial<AutoscalingSpec> = {}): TinyCluster => ({
    instances: [{}, {}, {}],
    autoscaling: {
      policy,
      pools: [{ pool: 'mixed', initial: 1, min: 1, max: 3 }],
      interval_s: 1,
      startup_s: 2,
      cooldown_s: 3,
      ...more,
    },
    slo: { ttft_ms: 1000, tpot_ms: 200 },
  });
  const burst = [
    ...Array.from({ length: 12 }, (_, i) => request(i * 10, 500, 2)),
    ...Array.from({ length: 10 }, (_, i) => request(10_000 + i * 1000, 10, 2)),
  ];

  test('by load: a queue starts instances, one at a time; quiet drains them again', () => {
    const run = tinyRun(scaled('load'), burst);
    expect(run.summary.requests.completed).toBe(22);
    const events = kinds(run).filter(([, kind]) => kind === 'scale_up' || kind === 'serving');
    expect(events.slice(0, 4)).toEqual([
      [1000, 'scale_up', 1],
      [3000, 'serving', 1],
      [3000, 'scale_up', 2],
      [5000, 'serving', 2],
    ]);
    expect(run.summary.fleet?.scale_downs).toBe(2);
    const active = run.sink
      .table('samples')
      .filter((row) => row['source'] === 'pool:mixed' && row['metric'] === 'active_instances')
      .map((row) => Number(row['value']));
    expect(Math.max(...active)).toBe(3);
    expect(active.at(-1)).toBe(1);
  });

  test('by SLA: as many as the rate needs at once, from the profile', () => {
    // 1 s for two prompts of 500: a prompt of 0.5 s within 1 s leaves ρ = 2/3, 1.33 requests/s an instance.
    const run = tinyRun(scaled('sla', { sla: { target_load: 1 } }), burst);
    const ups = kinds(run).filter(([, kind]) => kind === 'scale_up');
    expect(ups.slice(0, 2)).toEqual([
      [1000, 'scale_up', 1],
      [1000, 'scale_up', 2],
    ]);
    expect(run.summary.requests.completed).toBe(22);
  });

  test('static pays for what is on', () => {
    const run = tinyRun(scaled('static', { pools: [{ pool: 'mixed', initial: 2, min: 2, max: 2 }] }), burst);
    expect(run.summary.fleet?.gpu_hours).toBeCloseTo((2 * run.summary.makespan_s) / 3600, 12);
    const good = run.summary.good_requests ?? 0;
    expect(run.summary.fleet?.good_per_gpu_hour).toBeCloseTo(good / (run.summary.fleet?.gpu_hours ?? 0), 9);
  });
});

describe('re-balancing', () => {
  test('long prompts pull an idle decode instance over, and a cooldown keeps it there', () => {
    const prompts = Array.from({ length: 30 }, (_, i) => request(i * 300, 600, 2));
    const spec = (rebalance?: object): TinyCluster => ({
      instances: [{ pool: 'prefill' }, { pool: 'decode' }, { pool: 'decode' }],
      slo: { ttft_ms: 800, tpot_ms: 400 },
      handoff: {
        transfer: { kind: 'per_request' },
        ...(rebalance === undefined ? {} : { rebalance }),
      } as TinyCluster['handoff'],
    });
    const still = tinyRun(spec(), prompts);
    const moved = tinyRun(spec({ interval_s: 0.5, high: 1, low: 0.6, checks: 2, cooldown_s: 60 }), prompts);
    expect(moved.summary.fleet).toMatchObject({ role_changes: 1 });
    expect(moved.summary.metrics.ttft_ms?.p95 ?? Number.NaN).toBeLessThan(
      0.5 * (still.summary.metrics.ttft_ms?.p95 ?? 0),
    );
    expect(moved.requests.every((r) => r.decodeInstance === 1 || r.decodeInstance === 2)).toBe(true);
  });
});

describe('a spec that cannot be', () => {
  test('says what and where', () => {
    const run = (cluster: TinyCluster) => () => tinyRun(cluster, [request(0)]);
    expect(run({ ...two, timeline: [at(0, 'crash', { instance: 2 })] })).toThrow(
      'timeline[0].instance: 2, expected 0 .. 1',
    );
    expect(
      run({
        ...two,
        autoscaling: {
          policy: 'load',
          pools: [{ pool: 'mixed', initial: 1, min: 1, max: 3 }],
          interval_s: 1,
          startup_s: 1,
          cooldown_s: 1,
        },
      }),
    ).toThrow('autoscaling.pools[0].max: 3, cluster.instances has 2 in the mixed pool');
  });
});
