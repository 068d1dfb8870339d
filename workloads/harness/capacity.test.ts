import { expect, test } from 'vitest';
import { runSpecOn, tinySpec } from '../engines/sim/tinyRun.ts';
import { runSpec } from '../run/spec.ts';
import { generate } from '../traffic/generate.ts';
import { atRate, findCapacity } from './capacity.ts';

// A server that works 10 ms per request, whatever it holds: 100 requests/s at the very most.
const base = tinySpec({ instances: [{ prefill: 1000, decode: 1e6 }], slo: { ttft_ms: 200 } });
const traffic = {
  kind: 'open' as const,
  rate_rps: 20,
  cv: 1,
  duration_s: 60,
  prompt: { kind: 'fixed' as const, value: 10 },
  output: { kind: 'fixed' as const, value: 1 },
  prefix_share: 0,
  block_tokens: 16,
};
const run = (factor: number, seed: number) => {
  const spec = runSpec.parse({ ...base, seed, traffic: atRate(traffic, factor) });
  if (spec.traffic.kind === 'trace') throw new Error('generated');
  return Promise.resolve(runSpecOn(spec, generate(spec.traffic, seed)).summary);
};

test('an M/D/1 queue carries what its formula says: TTFT ≤ 200 ms of 95 % up to about 95 requests/s', async () => {
  const {
    rate = 0,
    interval,
    points,
  } = await findCapacity(run, {
    share: 0.95,
    seeds: [1, 2, 3],
    tolerance: 0.04,
    most: 64,
  });
  expect(rate).toBeGreaterThan(85);
  expect(rate).toBeLessThan(100);
  expect(interval[0] ?? Number.NaN).toBeLessThanOrEqual(interval[1] ?? Number.NaN);
  const rates = points.map((point) => point.rate);
  expect([...rates].sort((a, b) => a - b)).toEqual(rates);
  expect(points.at(-1)?.meets).toBe(false);
});

test('objectives that no rate meets have no capacity', async () => {
  const { rate, points } = await findCapacity(
    (factor, seed) =>
      run(factor, seed).then((summary) => ({
        ...summary,
        window: { from_s: 0, to_s: 60, rule: 'all', settled: 1, requests: 1000 * factor, good: 0 },
      })),
    { share: 0.9, seeds: [1], tolerance: 0.1, most: 4 },
  );
  expect(rate).toBeUndefined();
  expect(points).toHaveLength(3);
});
