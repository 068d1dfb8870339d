import {
  type MedianInterval,
  medianInterval,
  pairedMedianRatio,
  type RatioInterval,
} from '../metrics/interval.ts';
import type { KernelWork, OutputVerification } from './device.ts';
import type { KernelSpec } from './kernelSpec.ts';
import type { CounterSummary, RecordingSummary } from './recording.ts';

export interface KernelVariantSummary {
  /** Time of one iteration by the device's clock. */
  readonly iteration_ms: MedianInterval & { readonly min: number; readonly max: number };
  /** From the median; absent where the work has none of it. */
  readonly flop_per_s?: number;
  readonly host_bytes_per_s?: number;
  readonly items_per_s: number;
  readonly work: KernelWork;
  readonly verification: readonly OutputVerification[];
}

/** summary.json of a run that measured kernels. */
export interface KernelSummary {
  readonly schema: 1;
  readonly kind: 'kernel';
  readonly target: string;
  readonly engine: 'cuda';
  readonly simulated: false;
  readonly seed: number;
  readonly iterations: number;
  readonly warm_up: number;
  readonly device: { readonly index: number; readonly name: string };
  readonly variants: Readonly<Record<string, KernelVariantSummary>>;
  /** optimized ÷ baseline, of the medians, whole rounds resampled; absent where one of the two was not measured. */
  readonly ratio?: RatioInterval;
  /** `not_run`: the run ended before its outputs were looked at. */
  readonly verification: { readonly status: 'passed' | 'failed' | 'not_run'; readonly method: string };
  /** What the target found out beside times, in a form of its own (the wiring of the GPUs …). */
  readonly findings?: Readonly<Record<string, unknown>>;
  /** Where the run recorded its kernels, and counted them. */
  readonly recording?: RecordingSummary;
  readonly counters?: CounterSummary;
  /** Counters were asked for, and this is why there are none. */
  readonly counters_refused?: { readonly message: string; readonly hint: string };
}

export interface MeasuredVariant {
  readonly id: string;
  readonly milliseconds: readonly number[];
  readonly work: KernelWork;
  readonly verification: readonly OutputVerification[];
}

/** Undefined as long as a variant has no measured iteration. */
export function kernelSummary(
  spec: KernelSpec,
  device: { readonly index: number; readonly name: string },
  measured: readonly MeasuredVariant[],
  findings?: Readonly<Record<string, unknown>>,
): KernelSummary | undefined {
  const variants: Record<string, KernelVariantSummary> = {};
  for (const { id, milliseconds, work, verification } of measured) {
    const interval = medianInterval(milliseconds, spec.seed);
    if (interval === undefined) return undefined;
    const perSecond = 1000 / interval.median;
    variants[id] = {
      iteration_ms: { ...interval, min: Math.min(...milliseconds), max: Math.max(...milliseconds) },
      ...(work.flops > 0 ? { flop_per_s: work.flops * perSecond } : {}),
      ...(work.hostBytes > 0 ? { host_bytes_per_s: work.hostBytes * perSecond } : {}),
      items_per_s: work.items * perSecond,
      work,
      verification,
    };
  }
  const timesOf = (id: string) => measured.find((variant) => variant.id === id)?.milliseconds ?? [];
  const ratio = pairedMedianRatio(timesOf('baseline'), timesOf('optimized'), spec.seed);
  const checks = measured.flatMap(({ verification }) => verification);
  const elements = checks.reduce((sum, check) => sum + check.elements, 0);
  return {
    schema: 1,
    kind: 'kernel',
    target: spec.target,
    engine: 'cuda',
    simulated: false,
    seed: spec.seed,
    iterations: Math.min(...measured.map(({ milliseconds }) => milliseconds.length)),
    warm_up: spec.warm_up,
    device: { index: device.index, name: device.name },
    variants,
    ...(ratio === undefined ? {} : { ratio }),
    verification:
      checks.length === 0
        ? { status: 'not_run', method: 'the run ended before its outputs were verified' }
        : {
            status: checks.every(({ ok }) => ok) ? 'passed' : 'failed',
            method: `every output of every variant against a reference that no variant computed, ${elements} elements`,
          },
    ...(findings === undefined ? {} : { findings }),
  };
}

/** "optimized takes 31.2 % less time (ratio 0.688, 95 % CI 0.68–0.69)", or that nothing can be said. */
export function kernelVerdict({ ratio, verification }: KernelSummary): string {
  if (verification.status === 'failed') return 'The outputs are wrong: the times mean nothing.';
  if (verification.status === 'not_run') return 'No verdict: the run ended before its outputs were verified.';
  if (ratio === undefined) return 'One variant was measured: there is nothing to compare.';
  const { ci95 } = ratio;
  if (ci95 === undefined)
    return `Ratio ${ratio.ratio.toFixed(3)} from too few iterations for an interval: no evidence.`;
  const interval = `95 % CI ${ci95[0].toFixed(3)}–${ci95[1].toFixed(3)}`;
  if (!ratio.significant)
    return `No evidence of a difference: ratio ${ratio.ratio.toFixed(3)} (${interval}).`;
  const change = Math.abs(1 - ratio.ratio) * 100;
  return `optimized takes ${change.toPrecision(3)} % ${ratio.ratio < 1 ? 'less' : 'more'} time than baseline: ratio ${ratio.ratio.toFixed(3)} (${interval}).`;
}
