import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LengthSpec } from '../run/spec.ts';
import { type GeneratedSpec, generate } from './generate.ts';
import { preview } from './preview.ts';
import { totals } from './shape.ts';
import type { Traffic } from './traffic.ts';

const uniform: LengthSpec = { kind: 'uniform', min: 100, max: 1200 };
const fixed: LengthSpec = { kind: 'fixed', value: 64 };
const lognormal: LengthSpec = { kind: 'lognormal', median: 300, sigma: 1, min: 1, max: 8000 };

const open = (over: Partial<Extract<GeneratedSpec, { kind: 'open' }>> = {}): GeneratedSpec => ({
  kind: 'open',
  rate_rps: 50,
  cv: 1,
  duration_s: 400,
  prompt: uniform,
  output: lognormal,
  prefix_share: 0,
  block_tokens: 16,
  ...over,
});
const lab = (over: Partial<Extract<GeneratedSpec, { kind: 'lab' }>> = {}): GeneratedSpec => ({
  kind: 'lab',
  arrivals_per_tick: 1.2,
  burst_factor: 1,
  ticks: 4000,
  prompt: uniform,
  output: { kind: 'uniform', min: 32, max: 256 },
  ...over,
});
const synthetic = (over: Partial<Extract<GeneratedSpec, { kind: 'synthetic' }>> = {}): GeneratedSpec => ({
  kind: 'synthetic',
  requests: 3000,
  duration_s: 3600,
  speedup: 1,
  ...over,
});

/** What every Traffic promises, see traffic.ts. */
function expectWellFormed(traffic: Traffic): void {
  expect(traffic.arrivalNs[0]).toBe(0);
  const parent = new Int32Array(traffic.uniqueBlocks).fill(-2);
  let largest = -1;
  for (let r = 0; r < traffic.requests; r++) {
    const arrival = traffic.arrivalNs[r] ?? Number.NaN;
    if (!(Number.isInteger(arrival) && arrival >= (traffic.arrivalNs[r - 1] ?? 0)))
      expect.fail(`arrival ${r}`);
    if (!((traffic.promptTokens[r] ?? 0) >= 1 && (traffic.outputTokens[r] ?? 0) >= 1))
      expect.fail(`lengths ${r}`);
    const ids = traffic.blockIds.subarray(traffic.blockOffsets[r], traffic.blockOffsets[r + 1]);
    const blocks =
      traffic.blockTokens > 0 ? Math.ceil((traffic.promptTokens[r] ?? 0) / traffic.blockTokens) : 0;
    if (ids.length !== blocks) expect.fail(`${ids.length} blocks of request ${r}, expected ${blocks}`);
    ids.forEach((id, i) => {
      // Dense by first use; equal ids mean an equal prefix, so each id has one parent: a forest.
      if (id > largest + 1) expect.fail(`id ${id} before ${largest + 1}`);
      largest = Math.max(largest, id);
      const before = i === 0 ? -1 : (ids[i - 1] ?? -1);
      if (parent[id] === -2) parent[id] = before;
      else if (parent[id] !== before) expect.fail(`block ${id} follows two blocks`);
    });
  }
  expect(largest).toBe(traffic.uniqueBlocks - 1);
}

const mean = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const gapsOf = (traffic: Traffic): number[] =>
  Array.from(traffic.arrivalNs.subarray(1), (t, i) => (t - (traffic.arrivalNs[i] ?? 0)) / 1e9);

describe('every generator', () => {
  it.each([
    ['open', open({ duration_s: 40 })],
    ['open with prefixes', open({ prefix_share: 0.6, cv: 2, duration_s: 20 })],
    ['lab', lab({ burst_factor: 4, ticks: 400 })],
    ['synthetic', synthetic({ requests: 500 })],
  ])('%s: well-formed, the same for the same seed, another for another', (_, spec) => {
    const traffic = generate(spec, 7);
    expectWellFormed(traffic);
    expect(generate(spec, 7)).toEqual(traffic);
    expect(generate(spec, 8).arrivalNs).not.toEqual(traffic.arrivalNs);
  });

  it('refuses what cannot be, with the parameter’s name', () => {
    const inverted: LengthSpec = { kind: 'uniform', min: 9, max: 3 };
    expect(() => generate(open({ prompt: inverted }), 1)).toThrow('traffic.prompt: min 9 is above max 3');
    expect(() => generate(open({ rate_rps: 1e9 }), 1)).toThrow('at most 50000000');
    expect(() => generate(open({ rate_rps: 1e-6 }), 1)).toThrow('no request arrives');
    expect(() => generate(lab({ arrivals_per_tick: 1e9 }), 1)).toThrow('at most');
    expect(() => generate(synthetic({ requests: 1e9 }), 1)).toThrow('at most');
  });
});

describe('open', () => {
  it('cv 1 is Poisson: as many arrivals as the variance allows, not exactly the rate', () => {
    const counts = Array.from({ length: 40 }, (_, seed) => generate(open({ duration_s: 20 }), seed).requests);
    expect(mean(counts)).toBeGreaterThan(1000 - 4 * Math.sqrt(1000 / 40));
    expect(mean(counts)).toBeLessThan(1000 + 4 * Math.sqrt(1000 / 40));
    const variance = mean(counts.map((n) => (n - mean(counts)) * (n - mean(counts))));
    expect(variance / 1000).toBeGreaterThan(0.5);
    expect(variance / 1000).toBeLessThan(1.8);
  });

  it.each([0.5, 1, 3])('gaps have coefficient of variation %d', (cv) => {
    const gaps = gapsOf(generate(open({ cv, duration_s: 2000 }), 3));
    const m = mean(gaps);
    expect(m).toBeCloseTo(0.02, 3);
    expect(Math.sqrt(mean(gaps.map((g) => (g - m) * (g - m)))) / m / cv).toBeCloseTo(1, 1);
  });

  it('changing one distribution does not shift the draws of another', () => {
    const a = generate(open(), 5);
    const b = generate(open({ output: fixed, prefix_share: 0.5 }), 5);
    expect(b.arrivalNs).toEqual(a.arrivalNs);
    expect(b.promptTokens).toEqual(a.promptTokens);
  });

  it('prefix_share is about the share of requests with a block seen before', () => {
    const traffic = generate(open({ prefix_share: 0.4 }), 2);
    const seen = new Set<number>();
    let sharing = 0;
    for (let r = 0; r < traffic.requests; r++) {
      const ids = traffic.blockIds.subarray(traffic.blockOffsets[r], traffic.blockOffsets[r + 1]);
      if (seen.has(ids[0] ?? -1)) sharing++;
      for (const id of ids) seen.add(id);
    }
    expect(sharing / traffic.requests).toBeCloseTo(0.4, 1);
  });
});

describe('lab', () => {
  it('has λ per tick of 50 ms, all at the tick, priorities 0, 1, 2', () => {
    const traffic = generate(lab(), 1);
    expect(traffic.requests / 4000).toBeCloseTo(1.2, 1);
    expect(traffic.arrivalNs.every((t) => t % 50e6 === 0)).toBe(true);
    expect([0, 1, 2].map((p) => traffic.priority.filter((x) => x === p).length / traffic.requests)).toEqual([
      expect.closeTo(1 / 3, 1),
      expect.closeTo(1 / 3, 1),
      expect.closeTo(1 / 3, 1),
    ]);
  });

  it('bursts in one tick of five', () => {
    const traffic = generate(lab({ burst_factor: 6 }), 1);
    expect(traffic.requests / 4000 / (1.2 * (0.8 + 0.2 * 6))).toBeCloseTo(1, 1);
  });
});

describe('synthetic', () => {
  const traffic = generate(synthetic({ requests: 6000 }), 1);

  it('has exactly the requests asked for, within the hour', () => {
    expect(traffic.requests).toBe(6000);
    expect(totals(traffic).durationNs).toBeLessThanOrEqual(3600e9);
    expect(totals(traffic).durationNs).toBeGreaterThan(3000e9);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 5000 }),
        (requests, duration_s) => {
          expect(generate(synthetic({ requests, duration_s }), 1).requests).toBe(requests);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('starts every prompt with the common block, and sessions share growing prefixes', () => {
    for (let r = 0; r < traffic.requests; r++)
      if (traffic.blockIds[traffic.blockOffsets[r] ?? 0] !== 0) expect.fail(`${r}`);
    const { block_refs, unique_blocks } = preview(traffic);
    expect(unique_blocks / block_refs).toBeGreaterThan(0.2);
    expect(unique_blocks / block_refs).toBeLessThan(0.6);
  });

  it('is busier in the middle than at the ends, with heavy tails', () => {
    const { arrivals_rps, prompt_quantiles } = preview(traffic, 4);
    const [first = 0, second = 0, third = 0, last = 0] = arrivals_rps;
    expect(second + third).toBeGreaterThan(1.2 * (first + last));
    expect((prompt_quantiles[99] ?? 0) / (prompt_quantiles[50] ?? 1)).toBeGreaterThan(4);
  });

  it('speeds up', () => {
    const fast = generate(synthetic({ requests: 100, speedup: 10 }), 1);
    const slow = generate(synthetic({ requests: 100 }), 1);
    expect(fast.arrivalNs[99]).toBe(Math.round((slow.arrivalNs[99] ?? 0) / 10));
  });
});

it('a preview bins every arrival', () => {
  const traffic = generate(open({ duration_s: 10 }), 1);
  const { arrivals_rps, duration_s, prompt_quantiles } = preview(traffic, 50);
  expect(mean(arrivals_rps) * duration_s).toBeCloseTo(traffic.requests, 6);
  expect(prompt_quantiles).toHaveLength(101);
});
