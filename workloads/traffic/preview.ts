import { quantileOfSorted, sortedPresent } from '../metrics/percentile.ts';
import { absentInt32 } from '../run/tables.ts';
import { nsToSeconds } from '../units.ts';
import { totals } from './shape.ts';
import type { TraceSource, Traffic } from './traffic.ts';

/** What a form shows of a trace before it is run. */
export interface TrafficSketch {
  readonly name: string;
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly output_tokens: number;
  readonly block_refs: number;
  readonly unique_blocks: number;
  /** `unique_blocks` is an estimate (hash-like ids beyond two million): 0.8 % standard error. */
  readonly blocks_estimated?: true;
  readonly duration_s: number;
  /** Mean rate of arrivals between the first and the last; absent where all arrive at one time. */
  readonly rate_rps?: number;
  /** 0 where the traffic knows none. */
  readonly sessions: number;
  /** How the trace's file was understood; absent for generated traffic. */
  readonly source?: TraceSource;
  /** Arrivals per second in equal bins. */
  readonly arrivals_rps: readonly number[];
  /** Quantiles 0, 1, … 100 %. */
  readonly prompt_quantiles: readonly number[];
  readonly output_quantiles: readonly number[];
}

export function preview(traffic: Traffic, bins = 120): TrafficSketch {
  const all = totals(traffic);
  const counts = new Array<number>(bins).fill(0);
  // Traffic that arrives all at once is drawn as one second of it.
  const duration = all.durationNs > 0 ? all.durationNs : 1e9;
  for (const arrival of traffic.arrivalNs) {
    const bin = Math.min(bins - 1, Math.floor((arrival / duration) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const binSeconds = nsToSeconds(duration) / bins;
  return {
    name: traffic.name,
    requests: all.requests,
    prompt_tokens: all.promptTokens,
    output_tokens: all.outputTokens,
    block_refs: all.blockRefs,
    unique_blocks: all.uniqueBlocks,
    ...(traffic.counted?.isEstimate === true ? { blocks_estimated: true as const } : {}),
    duration_s: nsToSeconds(all.durationNs),
    ...(all.durationNs > 0 ? { rate_rps: (all.requests - 1) / nsToSeconds(all.durationNs) } : {}),
    sessions: sessionsOf(traffic),
    ...(traffic.source === undefined ? {} : { source: traffic.source }),
    arrivals_rps: counts.map((count) => count / binSeconds),
    prompt_quantiles: quantiles(traffic.promptTokens),
    output_quantiles: quantiles(traffic.outputTokens),
  };
}

function quantiles(lengths: Int32Array): number[] {
  const sorted = sortedPresent(lengths);
  return sorted.length === 0 ? [] : Array.from({ length: 101 }, (_, i) => quantileOfSorted(sorted, i / 100));
}

function sessionsOf({ session }: Traffic): number {
  const known = new Set<number>();
  for (const index of session) if (index !== absentInt32) known.add(index);
  return known.size;
}
