import { exactSum } from './percentile.ts';

/**
 * How many consecutive requests a bootstrap block must hold so that what is inside a block carries the dependence between
 * neighbours (a queue remembers). The rule of Politis and White (2004, corrected 2009) for circular blocks:
 *
 *   b = (2 G² / D)^(1/3) · N^(1/3),   G = Σ λ(k/M) |k| R(k),   D = 4/3 · (Σ λ(k/M) R(k))²
 *
 * R(k) is the autocovariance at lag k, λ a flat-top window: 1 up to half of M, then down to 0 at M; M is twice the first
 * lag after which the autocorrelation stays insignificant. Series longer than 8,192 are averaged in groups first.
 * NaN values take the value before them: an absent request must not break the sequence.
 */
export function blockLength(series: ArrayLike<number>): number {
  const group = Math.max(1, Math.ceil(series.length / 8192));
  const values = grouped(series, group);
  const n = values.length;
  if (n < 8) return 1;
  const mean = exactSum(values) / n;
  for (let i = 0; i < n; i++) values[i] = (values[i] ?? 0) - mean;

  const maxLag = Math.floor(n / 4);
  const covariance: number[] = [autocovariance(values, 0)];
  const variance = covariance[0] ?? 0;
  if (!(variance > 1e-300)) return group;
  const decades = Math.log(n) / Math.LN10;
  const threshold = 2 * Math.sqrt(decades / n);
  const quietLags = Math.max(5, Math.ceil(Math.sqrt(decades)));
  let quiet = 0;
  let lastLoud = 0;
  for (let k = 1; k <= maxLag && quiet < quietLags; k++) {
    const r = autocovariance(values, k);
    covariance.push(r);
    if (Math.abs(r / variance) < threshold) quiet++;
    else {
      quiet = 0;
      lastLoud = k;
    }
  }
  const window = Math.min(maxLag, Math.max(2, 2 * lastLoud));
  let g = 0;
  let sum = variance;
  for (let k = 1; k <= window; k++) {
    const r = covariance[k] ?? autocovariance(values, k);
    const share = k / window;
    const weight = share <= 0.5 ? 1 : 2 * (1 - share);
    g += 2 * weight * k * r;
    sum += 2 * weight * r;
  }
  const d = (4 / 3) * sum * sum;
  if (!(d > 0)) return group;
  return Math.max(1, Math.ceil(cubeRoot(((2 * g * g) / d) * n) * group));
}

/** exp(log x / 3): Math.cbrt differs between V8 versions. */
const cubeRoot = (x: number): number => (x > 0 ? Math.exp(Math.log(x) / 3) : 0);

function autocovariance(values: Float64Array, lag: number): number {
  let sum = 0;
  for (let i = lag; i < values.length; i++) sum += (values[i] ?? 0) * (values[i - lag] ?? 0);
  return sum / values.length;
}

function grouped(series: ArrayLike<number>, group: number): Float64Array {
  const n = Math.floor(series.length / group);
  const result = new Float64Array(n);
  let last = 0;
  for (let i = 0; i < series.length; i++) {
    const value = series[i] ?? Number.NaN;
    if (!Number.isNaN(value)) {
      last = value;
      break;
    }
  }
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = i * group; j < (i + 1) * group; j++) {
      const value = series[j] ?? Number.NaN;
      if (!Number.isNaN(value)) last = value;
      sum += last;
    }
    result[i] = sum / group;
  }
  return result;
}
