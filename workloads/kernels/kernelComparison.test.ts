import { expect, test } from 'vitest';
import { stream } from '../run/random.ts';
import { kernelRatios } from './kernelComparison.ts';

/** 40 rounds whose clock slows down by half on the way, with 1 % of noise. */
function drifting(factor: number, name: string): Float64Array {
  const random = stream(7, name);
  return Float64Array.from(
    { length: 40 },
    (_, round) => factor * (10 + round / 8) * (1 + 0.01 * random.uniform()),
  );
}
const p50 = (paired: boolean, factor: number) => {
  const rows = kernelRatios(
    drifting(1, 'a'),
    { variant: 'optimized', milliseconds: drifting(factor, 'b') },
    { seed: 1, paired },
  );
  const row = rows.find(({ metric }) => metric === 'workload_ms.p50');
  if (row?.ci95 === undefined) throw new Error('no interval');
  return { ...row, ci95: row.ci95 };
};

test('what drifts for both variants cancels in pairs, and widens the interval of two runs', () => {
  const [paired, apart] = [p50(true, 0.97), p50(false, 0.97)];
  expect(paired.ratio).toBeCloseTo(0.97, 2);
  expect(paired.significant).toBe(true);
  expect(apart.significant).toBe(false);
  const width = ({ ci95: [low, high] }: typeof paired) => high - low;
  expect(width(paired)).toBeLessThan(width(apart) / 3);
});

test('the same work is no evidence of a difference', () => {
  const { ci95, significant } = p50(true, 1);
  expect(significant).toBe(false);
  expect(ci95[0]).toBeLessThan(1);
  expect(ci95[1]).toBeGreaterThan(1);
});

test('fewer than five rounds give no row, and a tail takes twenty', () => {
  const rows = (n: number) =>
    kernelRatios(
      drifting(1, 'a').subarray(0, n),
      { variant: 'x', milliseconds: drifting(2, 'b') },
      { seed: 1, paired: true },
    ).map(({ metric }) => metric);
  expect(rows(4)).toEqual([]);
  expect(rows(19)).toEqual(['workload_ms.p50', 'workload_ms.mean']);
  expect(rows(20)).toContain('workload_ms.p90');
});
