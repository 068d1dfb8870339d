import type { ActivityRows, CountedRange } from '../../native/index.ts';
import type { PreparedKernels } from '../../workloads/kernels/device.ts';
import type {
  CountedKernel,
  CounterMode,
  CounterSummary,
  RecordingSummary,
} from '../../workloads/kernels/recording.ts';
import { pairedMedianRatio, type RatioInterval } from '../../workloads/metrics/interval.ts';
import { type KernelRecorder, type Launch, launchesIn } from './kernelTrace.ts';

/** Blocks with and without recording; the cost of recording is computed from them. */
const costRounds = 12;

/**
 * Measures the cost of recording: iterations in turn without and with it, after the measured ones. One iteration after each change is
 * thrown away: CUPTI sets itself up in it, once a run and not once an iteration.
 */
export function recordingSummary(
  recorder: KernelRecorder,
  kernels: PreparedKernels,
  variants: readonly string[],
  seed: number,
): RecordingSummary {
  const cost: Record<string, RatioInterval> = {};
  const { records, dropped, refusedBuffers } = recorder.status();
  for (const variant of variants) {
    const times = { off: [] as number[], on: [] as number[] };
    for (let round = 0; round < costRounds; round++) {
      for (const state of ['off', 'on'] as const) {
        recorder.record(state === 'on');
        kernels.iterate(variant);
        times[state].push(kernels.iterate(variant));
      }
      recorder.take({ flush: false });
    }
    recorder.take();
    const ratio = pairedMedianRatio(times.off, times.on, seed);
    if (ratio !== undefined) cost[variant] = ratio;
  }
  return {
    source: 'cupti',
    library: recorder.library,
    version: recorder.version,
    records,
    dropped,
    refused_buffers: refusedBuffers,
    clock: recorder.ownClock ? 'own' : 'tied',
    cost,
  };
}

/** What counts the kernels of a piece of work (`KernelCounters` of native). */
export interface KernelCounting {
  readonly chip: string;
  readonly passes: number;
  readonly metrics: readonly string[];
  readonly refused: readonly { readonly metric: string; readonly reason: string }[];
  count(
    name: string,
    work: () => void,
  ): { readonly ranges: readonly CountedRange[]; readonly dropped: number };
  close(): void;
}

export interface CountRequest {
  readonly variants: readonly string[];
  readonly mode: CounterMode;
  readonly kernels: PreparedKernels;
  /** The launches of one iteration in order, by variant: a counted launch has a number only. */
  readonly launches: ReadonlyMap<string, readonly Launch[]>;
  /** Median iteration time by variant, ms. */
  readonly medians: ReadonlyMap<string, number>;
  readonly nowMs: () => number;
}

/** One iteration of each variant under counters. Its times are no measurement: it ran several times, kernel by kernel. */
export function countVariants(counting: KernelCounting, request: CountRequest): CounterSummary {
  const { mode, kernels } = request;
  const cost: Record<string, number> = {};
  const counted: CountedKernel[] = [];
  let droppedInAll = 0;
  for (const variant of request.variants) {
    const began = request.nowMs();
    const { ranges, dropped } = counting.count(variant, () => kernels.iterate(variant));
    const took = request.nowMs() - began;
    const median = request.medians.get(variant) ?? 0;
    if (median > 0) cost[variant] = took / median;
    droppedInAll = dropped;
    const launches = request.launches.get(variant) ?? [];
    const labelled = ranges.map((range, index): readonly [Launch, CountedRange] => [
      mode === 'range'
        ? { name: `one iteration of ${variant}`, threads: undefined }
        : // As many ranges as launches, or nothing is known of which is which (a replayed graph is one range).
          ((launches.length === ranges.length ? launches[index] : undefined) ?? {
            name: `launch ${index}`,
            threads: undefined,
          }),
      range,
    ]);
    counted.push(...summedByName(variant, labelled, counting.metrics));
  }
  return {
    source: 'cupti',
    chip: counting.chip,
    mode,
    passes: counting.passes,
    metrics: counting.metrics,
    refused: counting.refused,
    dropped: droppedInAll,
    cost,
    kernels: counted,
  };
}

function summedByName(
  variant: string,
  labelled: readonly (readonly [Launch, CountedRange])[],
  metrics: readonly string[],
): CountedKernel[] {
  const byName = new Map<string, (readonly [Launch, CountedRange])[]>();
  for (const one of labelled) byName.set(one[0].name, [...(byName.get(one[0].name) ?? []), one]);
  return [...byName].map(([name, ranges]) => {
    const sums: Record<string, number> = {};
    metrics.forEach((metric, column) => {
      const values = ranges.map(([, range]) => range.values[column] ?? -1);
      // One launch without a value makes the sum unknown, not small.
      if (values.every((value) => value >= 0)) sums[metric] = values.reduce((a, b) => a + b, 0);
    });
    const threads = ranges[0]?.[0].threads;
    const isSame = ranges.every(([launch]) => launch.threads === threads);
    return {
      variant,
      name,
      launches: ranges.length,
      ...(threads === undefined || !isSame ? {} : { threads }),
      metrics: sums,
    };
  });
}

/** One iteration of each variant, recorded for the names of its launches. */
export function launchNames(
  recorder: KernelRecorder,
  kernels: PreparedKernels,
  variants: readonly string[],
): ReadonlyMap<string, readonly Launch[]> {
  recorder.record(true);
  recorder.take();
  const found = new Map<string, readonly Launch[]>();
  for (const variant of variants) {
    kernels.iterate(variant);
    const activity: ActivityRows = recorder.take();
    found.set(variant, launchesIn(activity));
  }
  return found;
}
