import { stream } from '../harness/random.ts';
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
  const medians = Float64Array.from({ length: resamples }, () => resampledMedian(sorted, random));
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
  resamples = 2000,
): RatioInterval | undefined {
  const a = sortedPresent(baseline);
  const b = sortedPresent(optimized);
  const base = quantileOfSorted(a, 0.5);
  const opt = quantileOfSorted(b, 0.5);
  if (!(base > 0) || Number.isNaN(opt)) return undefined;
  const ratio = opt / base;
  const k = Math.min(a.length, b.length);
  if (k < minRepetitions) return { baseline: base, optimized: opt, ratio, significant: false };
  const random = stream(seed, 'bootstrap');
  const ratios = Float64Array.from({ length: resamples }, () => {
    const x = resampledMedian(a, random);
    return resampledMedian(b, random) / x;
  });
  const [low, high] = percentileInterval(ratios, k);
  return { baseline: base, optimized: opt, ratio, ci95: [low, high], significant: low > 1 || high < 1 };
}

function resampledMedian(sorted: Float64Array, random: { uniform(): number }): number {
  const n = sorted.length;
  const drawn = new Float64Array(n);
  for (let i = 0; i < n; i++) drawn[i] = sorted[Math.floor(random.uniform() * n)] ?? 0;
  return quantileOfSorted(drawn.sort(), 0.5);
}
