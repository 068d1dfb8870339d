import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ascendingOrder } from './order.ts';
import { cdf, distribution, exactSum, quantile, quantileOfSorted } from './percentile.ts';

const latencies = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 200 });

describe('quantile', () => {
  it('interpolates linearly between neighbours, as numpy.percentile does', () => {
    // numpy.percentile([10, 20, 40], [0, 25, 50, 75, 100]) -> 10, 15, 20, 30, 40
    expect([0, 0.25, 0.5, 0.75, 1].map((q) => quantile([40, 10, 20], q))).toEqual([10, 15, 20, 30, 40]);
    // numpy.percentile(numpy.arange(1, 11), [90, 95, 99]) -> 9.1, 9.55, 9.91
    const ten = Array.from({ length: 10 }, (_, i) => i + 1);
    expect(quantile(ten, 0.9)).toBeCloseTo(9.1, 12);
    expect(quantile(ten, 0.95)).toBeCloseTo(9.55, 12);
    expect(quantile(ten, 0.99)).toBeCloseTo(9.91, 12);
  });

  it('leaves out what is absent, and is absent where nothing is there', () => {
    expect(quantile([Number.NaN, 3, Number.NaN, 1], 0.5)).toBe(2);
    expect(quantile([], 0.5)).toBeNaN();
    expect(distribution([Number.NaN])).toBeUndefined();
    expect(distribution([Number.NaN, 7])).toEqual({
      n: 1,
      mean: 7,
      min: 7,
      p50: 7,
      p90: 7,
      p95: 7,
      p99: 7,
      max: 7,
    });
  });

  it('is monotone, stays in range and finds a constant exactly', () => {
    fc.assert(
      fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const sorted = Float64Array.from(values).sort();
        const at = quantileOfSorted(sorted, q);
        expect(at).toBeGreaterThanOrEqual(sorted[0] ?? 0);
        expect(at).toBeLessThanOrEqual(sorted.at(-1) ?? 0);
        expect(quantileOfSorted(sorted, Math.min(1, q + 0.1))).toBeGreaterThanOrEqual(at);
        expect(quantile([0.1, 0.1, 0.1], q)).toBe(0.1);
      }),
    );
  });
});

it('sums without losing small terms', () => {
  expect(exactSum([1, 1e100, 1, -1e100])).toBe(2);
});

it('a CDF runs from the minimum to the maximum', () => {
  const { values, n } = cdf([5, 1, Number.NaN, 3], 5);
  expect([...values]).toEqual([1, 2, 3, 4, 5]);
  expect(n).toBe(3);
});

it('the radix order is the stable order of the values', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true }), { maxLength: 300 }), (values) => {
      const expected = values
        .map((_, i) => i)
        .sort((a, b) => {
          const x = values[a] ?? 0;
          const y = values[b] ?? 0;
          return x < y ? -1 : x > y ? 1 : a - b;
        });
      expect([...ascendingOrder(Float64Array.from(values))]).toEqual(expected);
    }),
  );
});
