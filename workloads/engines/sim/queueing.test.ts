import { describe, expect, test } from 'vitest';
import { stream } from '../../run/random.ts';
import { runSpecOn, tinySpec, tinyTraffic } from './tinyRun.ts';

/**
 * Closed forms of queueing theory on the fixed-rate instance: 1 prompt token takes 1 µs, so prompts are service times in µs.
 * One output token and one sequence: a single server, first come first served.
 */
function singleServer(n: number, rho: number, service: (u: ReturnType<typeof stream>) => number) {
  const arrivals = stream(11, 'arrivals');
  const lengths = stream(11, 'service');
  let at = 0;
  const requests = Array.from({ length: n }, () => {
    at += arrivals.exponential(1 / rho);
    return { at, prompt: Math.max(1, Math.round(1000 * service(lengths))), output: 1 };
  });
  const traffic = tinyTraffic(requests);
  const spec = tinySpec({
    instances: [{ prefill: 1e6, blocks: 1_000_000 }],
    sequences: 1,
    budget: 1_000_000,
    reuse: false,
  });
  return { traffic, run: runSpecOn(spec, traffic) };
}

describe('a single server', () => {
  test('waits are Lindley’s recursion, request by request', () => {
    const { traffic, run } = singleServer(3000, 0.9, (u) => u.exponential(1));
    const rows = run.sink.table('requests').sort((a, b) => Number(a['request']) - Number(b['request']));
    let free = 0;
    rows.forEach((row, r) => {
      const start = Math.max(free, traffic.arrivalNs[r] ?? 0);
      expect(row['scheduled_ns']).toBe(start);
      free = start + (traffic.promptTokens[r] ?? 0) * 1000;
      expect(row['finish_ns']).toBe(free);
    });
  });

  test('M/M/1 at ρ = 0.5 and 0.8: mean time in system 1/(1 − ρ)', () => {
    for (const rho of [0.5, 0.8]) {
      const { run } = singleServer(200_000, rho, (u) => u.exponential(1));
      expect((run.summary.metrics.e2e_ms?.mean ?? 0) * (1 - rho)).toBeCloseTo(1, 1);
    }
  });

  test('M/D/1 at ρ = 0.8: mean wait ρ/(2(1 − ρ)) = 2', () => {
    const { run } = singleServer(200_000, 0.8, () => 1);
    expect(run.summary.metrics.queue_ms?.mean ?? 0).toBeGreaterThan(1.95);
    expect(run.summary.metrics.queue_ms?.mean ?? Number.NaN).toBeLessThan(2.05);
  });
});

test('decoding alone is processor sharing: M/G/1-PS, E[T] = E[S]/(1 − ρ)', () => {
  // 1 output token takes 1 ms alone; answers of 200 tokens on average make 0.2 s of work, one request per 0.4 s: ρ = 0.5.
  const arrivals = stream(5, 'arrivals');
  const lengths = stream(5, 'lengths');
  let at = 0;
  const traffic = tinyTraffic(
    Array.from({ length: 20_000 }, () => {
      at += arrivals.exponential(400);
      return { at, prompt: 1, output: 1 + Math.ceil(lengths.exponential(200)) };
    }),
  );
  const spec = tinySpec({
    instances: [{ prefill: 1e9, decode: 1000, blocks: 1_000_000 }],
    sequences: 4000,
    reuse: false,
  });
  const { summary } = runSpecOn(spec, traffic);
  expect((summary.metrics.e2e_ms?.mean ?? 0) / 400).toBeGreaterThan(0.96);
  expect((summary.metrics.e2e_ms?.mean ?? Number.NaN) / 400).toBeLessThan(1.04);
});
