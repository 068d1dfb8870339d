import type { Distribution } from '../run/summary.ts';

/** The present values, ascending, in a new array; NaN stands for absent and is left out. */
export function sortedPresent(values: ArrayLike<number>, length: number = values.length): Float64Array {
  const kept = new Float64Array(length);
  let n = 0;
  for (let i = 0; i < length; i++) {
    const value = values[i] ?? Number.NaN;
    if (!Number.isNaN(value)) kept[n++] = value;
  }
  return kept.subarray(0, n).sort();
}

/**
 * Between two neighbours in order, `t` of the way from the lower to the upper. Rounded as numpy does, from the nearer
 * end, so that equal neighbours give exactly themselves and figures agree with numpy.percentile to the last bit.
 */
export function between(lower: number, upper: number, t: number): number {
  const gap = upper - lower;
  return t < 0.5 ? lower + gap * t : upper - gap * (1 - t);
}

/**
 * Quantile q (0..1) of ascending values, by linear interpolation over all of them (numpy's default):
 *
 *   values  10  20  40        rank h = (n − 1) q       q = 0.75: h = 1.5 -> half-way between 20 and 40 = 30
 *   rank     0   1   2
 *
 * NaN for no values.
 */
export function quantileOfSorted(sorted: ArrayLike<number>, q: number): number {
  const n = sorted.length;
  if (n === 0 || Number.isNaN(q)) return Number.NaN;
  const rank = (n - 1) * Math.min(1, Math.max(0, q));
  const below = Math.floor(rank);
  const lower = sorted[below] ?? Number.NaN;
  const upper = sorted[Math.min(below + 1, n - 1)] ?? lower;
  return between(lower, upper, rank - below);
}

/** Quantile of values in any order; NaN values are absent. */
export const quantile = (values: ArrayLike<number>, q: number): number =>
  quantileOfSorted(sortedPresent(values), q);

/** Sum with Neumaier's compensation: the result does not drift with a million terms. */
export function exactSum(values: ArrayLike<number>, length: number = values.length): number {
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < length; i++) {
    const value = values[i] ?? 0;
    const next = sum + value;
    lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}

/** Exact distribution of the present values (NaN = absent); undefined where there is none. */
export function distribution(
  values: ArrayLike<number>,
  length: number = values.length,
): Distribution | undefined {
  const sorted = sortedPresent(values, length);
  const n = sorted.length;
  if (n === 0) return undefined;
  return {
    n,
    mean: exactSum(sorted) / n,
    min: sorted[0] ?? Number.NaN,
    p50: quantileOfSorted(sorted, 0.5),
    p90: quantileOfSorted(sorted, 0.9),
    p95: quantileOfSorted(sorted, 0.95),
    p99: quantileOfSorted(sorted, 0.99),
    max: sorted[n - 1] ?? Number.NaN,
  };
}

/** The empirical CDF at `points` equally spaced probabilities 0 … 1: values[i] is the quantile i/(points − 1). */
export function cdf(
  values: ArrayLike<number>,
  points: number,
): { readonly values: Float64Array; readonly n: number } {
  const sorted = sortedPresent(values);
  if (sorted.length === 0) return { values: new Float64Array(0), n: 0 };
  const steps = Math.max(2, points);
  return {
    values: Float64Array.from({ length: steps }, (_, i) => quantileOfSorted(sorted, i / (steps - 1))),
    n: sorted.length,
  };
}
