import { expect, test } from 'vitest';
import { runSpecOn, tinySpec } from '../engines/sim/tinyRun.ts';
import { runSpec, type TrafficSpec } from '../run/spec.ts';
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
const run = (scaled: TrafficSpec, seed: number) => {
  const spec = runSpec.parse({ ...base, seed, traffic: scaled });
  if (spec.traffic.kind === 'trace') throw new Error('generated');
  return Promise.resolve(runSpecOn(spec, generate(spec.traffic, seed)).summary);
};

test('an M/D/1 queue carries what its formula says: TTFT ≤ 200 ms of 95 % up to about 95 requests/s', async () => {
  const {
    rate = 0,
    interval,
    points,
  } = await findCapacity(traffic, run, {
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
    traffic,
    (scaled, seed) =>
      run(scaled, seed).then((summary) => ({
        ...summary,
        window: { from_s: 0, to_s: 60, rule: 'all', settled: 1, requests: 1000, good: 0 },
      })),
    { share: 0.9, seeds: [1], tolerance: 0.1, most: 4 },
  );
  expect(rate).toBeUndefined();
  expect(points).toHaveLength(3);
});

test('a closed loop is searched by its number of clients, each of which sends as many requests as before', async () => {
  const closed = {
    kind: 'closed' as const,
    clients: 4,
    requests: 400,
    think_s: 0,
    think: 'fixed' as const,
    ramp_s: 1,
    prompt: { kind: 'fixed' as const, value: 10 },
    output: { kind: 'fixed' as const, value: 1 },
  };
  expect(atRate(closed, 64)).toMatchObject({ clients: 256, requests: 25_600 });
  const found = await findCapacity(closed, run, { share: 0.95, seeds: [1], tolerance: 0.01, most: 64 });
  // Each request waits for those of all other clients, 10 ms each: the 20th is still there in 200 ms.
  expect(found.clients).toBe(20);
  expect(found.interval).toEqual([20, 21]);
  expect(found.points.map(({ clients }) => clients)).toEqual([4, 8, 16, 19, 20, 21, 23, 32]);
});
