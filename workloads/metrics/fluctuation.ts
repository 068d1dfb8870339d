/** Figures of a series of equally spaced samples: how much it moves, whether it swings, and whether two move together. */

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Population standard deviation. */
export function deviation(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) * (value - mean), 0) / values.length);
}

/** Pearson's correlation; undefined where one of the two stands still. */
export function correlation(a: readonly number[], b: readonly number[]): number | undefined {
  const meanA = meanOf(a);
  const meanB = meanOf(b);
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    const x = (a[i] ?? 0) - meanA;
    const y = (b[i] ?? 0) - meanB;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : undefined;
}

/**
 * The period of a swing: the lag of the highest autocorrelation after the first lag at which it is not positive any more.
 *
 *   1 ┤█▄                 ▄█▄            first zero, then the first peak: that lag
 *   0 ┼──▀▄─────────────▄▀───▀▄──
 *     │    ▀▄▄▄▄▄▄▄▄▄▄▄▀
 *
 * Lags up to a third of the series are looked at, so that at least three periods were seen. Undefined where there is no zero,
 * or no peak that stands out of what white noise would show (2/√n).
 */
export function swing(
  values: readonly number[],
): { readonly lag: number; readonly autocorrelation: number } | undefined {
  const n = values.length;
  const mean = meanOf(values);
  const centred = values.map((value) => value - mean);
  const power = centred.reduce((sum, value) => sum + value * value, 0);
  if (!(power > 0)) return undefined;
  const at = (lag: number): number => {
    let sum = 0;
    for (let i = lag; i < n; i++) sum += (centred[i] ?? 0) * (centred[i - lag] ?? 0);
    return (sum / power) * (n / (n - lag));
  };
  const most = Math.floor(n / 3);
  let lag = 1;
  while (lag <= most && at(lag) > 0) lag++;
  let best = 0;
  let height = 0;
  for (; lag <= most; lag++) {
    const value = at(lag);
    if (value > height) {
      height = value;
      best = lag;
    }
  }
  return best > 0 && height > 2 / Math.sqrt(n) ? { lag: best, autocorrelation: height } : undefined;
}
