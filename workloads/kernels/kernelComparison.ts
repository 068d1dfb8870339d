import { medianRatio, pairedMedianRatio, type RatioInterval } from '../metrics/interval.ts';
import { quantileOfSorted } from '../metrics/percentile.ts';

/** Iteration times of one variant, ms, in the order of the rounds. */
export interface VariantTimes {
  readonly variant: string;
  readonly milliseconds: ArrayLike<number>;
}

export interface KernelRatio extends RatioInterval {
  /** `workload_ms.p50` */
  readonly metric: string;
  /** Which variant is held against which: `optimized`, `static`. */
  readonly of: string;
}

/** Fewer rounds than this say nothing of a tail. */
const minForTail = 20;

const mean = (values: Float64Array): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
};

const statistics: readonly {
  readonly id: string;
  readonly least: number;
  readonly of: (sorted: Float64Array) => number;
}[] = [
  { id: 'p50', least: 1, of: (sorted) => quantileOfSorted(sorted, 0.5) },
  { id: 'mean', least: 1, of: mean },
  { id: 'p90', least: minForTail, of: (sorted) => quantileOfSorted(sorted, 0.9) },
];

/**
 * Ratios of two sets of iteration times with their intervals. `paired`: round i of both ran one right after the other, and
 * whole rounds are resampled; else each side is resampled by itself. Rows without an interval (fewer than five rounds) are
 * left out: they are no evidence.
 */
export function kernelRatios(
  baseline: ArrayLike<number>,
  optimized: VariantTimes,
  { seed, paired }: { readonly seed: number; readonly paired: boolean },
): KernelRatio[] {
  const n = Math.min(baseline.length, optimized.milliseconds.length);
  const ratio = paired ? pairedMedianRatio : medianRatio;
  return statistics.flatMap(({ id, least, of }) => {
    const found = n < least ? undefined : ratio(baseline, optimized.milliseconds, seed, of);
    return found?.ci95 === undefined
      ? []
      : [{ ...found, metric: `workload_ms.${id}`, of: optimized.variant }];
  });
}
