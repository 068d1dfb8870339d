import { stream } from '../run/random.ts';
import { normalCdf, studentQuantile } from './normal.ts';
import { exactSum, quantileOfSorted, sortedPresent } from './percentile.ts';

export type Interval = readonly [low: number, high: number];

/**
 * The probabilities between which a 95 % percentile interval lies. Resampling k things understates their spread for small
 * k; the percentiles are moved outwards as a t interval is wider than a normal one (Hesterberg 2015, "expanded percentile").
 */
export function expandedProbabilities(k: number): Interval {
  if (k < 2) return [0, 1];
  const low = normalCdf(studentQuantile(0.025, k - 1) * Math.sqrt(k / (k - 1)));
  return [low, 1 - low];
}

/** 95 % interval of resampled values; `k` independent things were resampled. */
export function percentileInterval(resampled: ArrayLike<number>, k: number): Interval {
  const sorted = sortedPresent(resampled);
  const [low, high] = expandedProbabilities(k);
  return [quantileOfSorted(sorted, low), quantileOfSorted(sorted, high)];
}

/**
 * How many of the left-out parts really carry the estimate: all of them where their influences look normal, few where one
 * or two rare stretches (a burst) decide. Kish's effective size with fourth moments: 3 (Σz²)² / Σz⁴, at most their number.
 */
export function effectiveParts(leftOut: ArrayLike<number>): number {
  const values = sortedPresent(leftOut);
  const mean = exactSum(values) / values.length;
  let second = 0;
  let fourth = 0;
  for (const value of values) {
    const square = (value - mean) * (value - mean);
    second += square;
    fourth += square * square;
  }
  if (!(fourth > 0 && Number.isFinite(fourth))) return Math.max(2, values.length);
  return Math.max(2, Math.min(values.length, (3 * second * second) / fourth));
}

export interface MedianInterval {
  readonly n: number;
  readonly median: number;
  /** Absent for fewer than five values: they cannot carry a 95 % interval. */
  readonly ci95?: Interval;
}

/** The fewest repetitions that may carry an interval. */
export const minRepetitions = 5;

/** Median of repeated measurements (iterations after warm-up) with its bootstrap interval; undefined for none. */
export function medianInterval(
  values: ArrayLike<number>,
  seed: number,
  resamples = 2000,
): MedianInterval | undefined {
  const sorted = sortedPresent(values);
  const n = sorted.length;
  if (n === 0) return undefined;
  const median = quantileOfSorted(sorted, 0.5);
  if (n < minRepetitions) return { n, median };
  const random = stream(seed, 'bootstrap');
  const medians = Float64Array.from({ length: resamples }, () => medianOf(resampled(sorted, random)));
  return { n, median, ci95: percentileInterval(medians, n) };
}

export interface RatioInterval {
  readonly baseline: number;
  readonly optimized: number;
  /** median(optimized) / median(baseline); never a ratio of means. */
  readonly ratio: number;
  readonly ci95?: Interval;
  /** The interval excludes 1. */
  readonly significant: boolean;
}

/** Ratio of the medians of two sets of repeated measurements, measured in turn (A B A B …), with its bootstrap interval. */
export function medianRatio(
  baseline: ArrayLike<number>,
  optimized: ArrayLike<number>,
  seed: number,
  statistic: (sorted: Float64Array) => number = medianOf,
  resamples = 2000,
): RatioInterval | undefined {
  const a = sortedPresent(baseline);
  const b = sortedPresent(optimized);
  if (a.length === 0 || b.length === 0) return undefined;
  const base = statistic(a);
  const opt = statistic(b);
  if (!(base > 0) || Number.isNaN(opt)) return undefined;
  const ratio = opt / base;
  const k = Math.min(a.length, b.length);
  if (k < minRepetitions) return { baseline: base, optimized: opt, ratio, significant: false };
  const random = stream(seed, 'bootstrap');
  const ratios = Float64Array.from({ length: resamples }, () => {
    const x = statistic(resampled(a, random));
    return statistic(resampled(b, random)) / x;
  });
  const [low, high] = percentileInterval(ratios, k);
  return { baseline: base, optimized: opt, ratio, ci95: [low, high], significant: low > 1 || high < 1 };
}

/**
 * The same for measurements taken in pairs: `optimized[i]` ran right after `baseline[i]` (A B A B …). Whole rounds are
 * resampled, so that what drifted for both (clocks, temperature) cancels and does not widen the interval.
 */
export function pairedMedianRatio(
  baseline: ArrayLike<number>,
  optimized: ArrayLike<number>,
  seed: number,
  statistic: (sorted: Float64Array) => number = medianOf,
  resamples = 2000,
): RatioInterval | undefined {
  const k = Math.min(baseline.length, optimized.length);
  const a = Float64Array.from({ length: k }, (_, i) => baseline[i] ?? Number.NaN);
  const b = Float64Array.from({ length: k }, (_, i) => optimized[i] ?? Number.NaN);
  if (a.some(Number.isNaN) || b.some(Number.isNaN)) return undefined;
  const base = statistic(a.slice().sort());
  const opt = statistic(b.slice().sort());
  if (!(base > 0) || Number.isNaN(opt)) return undefined;
  const ratio = opt / base;
  if (k < minRepetitions) return { baseline: base, optimized: opt, ratio, significant: false };
  const random = stream(seed, 'paired bootstrap');
  const x = new Float64Array(k);
  const y = new Float64Array(k);
  const ratios = Float64Array.from({ length: resamples }, () => {
    for (let i = 0; i < k; i++) {
      const round = Math.floor(random.uniform() * k);
      x[i] = a[round] ?? 0;
      y[i] = b[round] ?? 0;
    }
    return statistic(y.sort()) / statistic(x.sort());
  });
  const [low, high] = percentileInterval(ratios, k);
  return { baseline: base, optimized: opt, ratio, ci95: [low, high], significant: low > 1 || high < 1 };
}

const medianOf = (sorted: Float64Array): number => quantileOfSorted(sorted, 0.5);

function resampled(sorted: Float64Array, random: { uniform(): number }): Float64Array {
  const n = sorted.length;
  const drawn = new Float64Array(n);
  for (let i = 0; i < n; i++) drawn[i] = sorted[Math.floor(random.uniform() * n)] ?? 0;
  return drawn.sort();
}
