import { describe, expect, test } from 'vitest';
import { runSpecOn, tinySpec } from '../engines/sim/tinyRun.ts';
import { type RunSpec, runSpec } from '../run/spec.ts';
import { generate } from '../traffic/generate.ts';
import { mser5 } from './steadyWindow.ts';

/** One instance that computes a prompt of 10 tokens in 10 ms and an answer of 5 in 5 ms: 60 to 70 requests/s at most. */
function served(rate_rps: number, more: Partial<RunSpec> = {}) {
  const base = tinySpec({
    instances: [{ prefill: 1000, decode: 1000 }],
    sequences: 8,
    slo: { ttft_ms: 500 },
  });
  const spec = runSpec.parse({
    ...base,
    traffic: {
      kind: 'open',
      rate_rps,
      duration_s: 60,
      prompt: { kind: 'fixed', value: 10 },
      output: { kind: 'fixed', value: 6 },
    },
    ...more,
  });
  if (spec.traffic.kind !== 'open') throw new Error('open traffic');
  return runSpecOn(spec, generate(spec.traffic, 1)).summary;
}

describe('MSER-5', () => {
  test('a ramp of 100 before a plateau is dropped, to a batch of five', () => {
    const wave = (i: number) => (i % 7) / 10;
    const series = Array.from({ length: 1000 }, (_, i) => (i < 100 ? i / 2 : 50) + wave(i));
    expect(Math.abs(mser5(series) - 100)).toBeLessThanOrEqual(15);
  });
  test('nothing is dropped of what is steady, at most half of what never is', () => {
    expect(mser5(Array.from({ length: 1000 }, (_, i) => 5 + ((i * 7919) % 13) / 13))).toBeLessThan(100);
    expect(mser5(Array.from({ length: 1000 }, (_, i) => i))).toBe(500);
  });
});

describe('what a run says of itself', () => {
  test('below capacity: rates over the window are the arrivals, not the arrivals and the drain', () => {
    const summary = served(30);
    expect(summary.overload).toBeUndefined();
    expect(summary.window).toMatchObject({ rule: 'mser5', settled: 1 });
    const { from_s = 0, to_s = 0, requests = 0, good } = summary.window ?? {};
    expect(good).toBe(requests);
    expect((summary.goodput_rps ?? 0) / (requests / (to_s - from_s))).toBeCloseTo(1, 1);
  });

  test('above capacity: overloaded, with the rate that arrives and the rate that is served', () => {
    const { overload } = served(100);
    expect(overload?.share).toBe(1);
    expect((overload?.arrived_rps ?? 0) / 100).toBeCloseTo(1, 1);
    expect(overload?.served_rps).toBeLessThan(75);
    expect(overload?.served_rps).toBeGreaterThan(50);
    expect(overload?.growth_rps).toBeGreaterThan(20);
  });

  test('a warm-up and a length that were asked for', () => {
    const summary = served(30, { measurement: { warm_up: 10, measure_s: 20 } });
    expect(summary.window).toMatchObject({ from_s: 10, to_s: 30, rule: 'given' });
    expect(Math.abs((summary.window?.requests ?? 0) - 600)).toBeLessThan(100);
    expect(summary.metrics.ttft_ms?.n).toBe(summary.window?.requests);
  });

  test('one pool has no part figures, two have TTFT and TPOT of their own', () => {
    expect(served(30).pools).toBeUndefined();
    const base = tinySpec({ instances: [{ pool: 'prefill' }, { pool: 'decode' }] });
    const { cluster } = base;
    const pools = served(5, { cluster }).pools ?? [];
    expect(
      pools.map(({ pool, ttft_ms, tpot_ms }) => [pool, ttft_ms !== undefined, tpot_ms !== undefined]),
    ).toEqual([
      ['prefill', true, false],
      ['decode', false, true],
    ]);
  });
});
