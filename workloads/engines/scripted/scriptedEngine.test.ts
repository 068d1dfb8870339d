import { describe, expect, test } from 'vitest';
import { findTarget } from '../../catalog/catalog.ts';
import type { HostTime } from '../../run/engine.ts';
import type { RunSpec } from '../../run/spec.ts';
import { generate } from '../../traffic/generate.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { Ns } from '../../units.ts';
import { KeepingSink, runSpecOn, tinyRun, tinySpec, tinyTraffic } from '../sim/tinyRun.ts';
import { type Alarm, scriptedEngine } from './scriptedEngine.ts';

/** Host time that a test moves: a sleep ends at once, and everything that was due meanwhile has happened. */
class TestTime implements HostTime {
  private clock: Ns = 0;
  private readonly alarms: { at: Ns; call: () => void }[] = [];
  now = (): Ns => this.clock;
  wake(): void {}
  readonly alarm: Alarm = (at, call) => {
    this.alarms.push({ at, call });
    this.alarms.sort((a, b) => a.at - b.at);
  };
  sleep(at: Ns): Promise<void> {
    const [first] = this.alarms;
    if (first !== undefined && first.at <= at) {
      this.alarms.shift();
      this.clock = Math.max(this.clock, first.at);
      first.call();
    } else this.clock = Math.max(this.clock, at);
    return Promise.resolve();
  }
}

async function scripted(spec: RunSpec, traffic: Traffic) {
  const time = new TestTime();
  const sink = new KeepingSink();
  const run = await scriptedEngine(time.alarm).open(spec, () => traffic, sink, time);
  while (!(await run.step(Number.POSITIVE_INFINITY, 1000)));
  return { summary: await run.finish(), sink };
}

const rows = (sink: KeepingSink) =>
  sink
    .table('requests')
    .map((row) => ({
      request: Number(row['request']),
      scheduled: Number(row['scheduled_ns']),
      first: Number(row['first_token_ns']),
      finish: Number(row['finish_ns']),
      decode: Number(row['decode_instance']),
    }))
    .sort((a, b) => a.request - b.request);

describe('passes that an executor runs', () => {
  // One instance, 1 ms per prompt token and 100 ms per output token:
  //   0 ├ prompt 100 ┤ 100 ├ decode ┤ 200 ├ decode ┤ 300
  const requests = [
    { at: 0, prompt: 100, output: 3 },
    { at: 150, prompt: 50, output: 2 },
  ];

  test('give the times that the simulator gives', async () => {
    const { sink } = await scripted(tinySpec(), tinyTraffic(requests));
    const simulated = tinyRun({}, requests);
    expect(rows(sink).map((r) => [r.first / 1e6, r.finish / 1e6])).toEqual(
      simulated.requests.map((r) => [r.first, r.finish]),
    );
  });

  test('hand KV caches over to a decode pool', async () => {
    const cluster = {
      instances: [{ pool: 'prefill' }, { pool: 'decode' }] as const,
      linkGbPerS: 1,
    };
    const { sink, summary } = await scripted(tinySpec(cluster), tinyTraffic(requests));
    const simulated = tinyRun(cluster, requests);
    expect(summary.kv.transfers).toBe(2);
    expect(rows(sink).map((r) => r.decode)).toEqual([1, 1]);
    const found = rows(sink).map((r) => r.finish / 1e6);
    simulated.requests.forEach(({ finish }, i) => {
      expect(found[i]).toBeCloseTo(finish, 3);
    });
  });
});

describe('the router lab in real time', () => {
  const target = findTarget('labs/dynamic_router:dynamic_router');
  if (target === undefined) throw new Error('the router lab is not in the catalogue');

  test.each(['baseline', 'optimized'])('%s serves every request, as the simulator does', async (variant) => {
    const spec = target.spec({
      variant,
      engine: 'sim',
      parameters: { ticks: 12 },
      seed: 3,
      iterations: 1,
    });
    if (spec.traffic.kind === 'trace') throw new Error('expected generated traffic');
    const traffic = generate(spec.traffic, spec.seed);
    const simulated = runSpecOn(spec, traffic);
    const { summary } = await scripted(spec, traffic);
    expect(summary.requests).toEqual(expect.objectContaining({ completed: traffic.requests, unfinished: 0 }));
    const ttft = (of: typeof summary) => of.metrics.ttft_ms?.mean ?? Number.NaN;
    // Pass boundaries fall alike, so the means differ by what ties and float rounding decide.
    expect(ttft(summary) / ttft(simulated.summary)).toBeGreaterThan(0.9);
    expect(ttft(summary) / ttft(simulated.summary)).toBeLessThan(1.1);
  }, 120_000);
});
