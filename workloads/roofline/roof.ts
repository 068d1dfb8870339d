import {
  type BytesPerSec,
  type Flop,
  type FlopPerSec,
  type Fraction,
  type Ns,
  nsPerSecond,
  type Seconds,
} from '../units.ts';
import { type Ceilings, levelLabel, type MemoryLevel, memoryLevels } from './ceilings.ts';
import { mainPrecision, type RooflinePoint, totalWork } from './point.ts';
import { type Pipe, type Precision, pipeOf, precisionLabel, precisions } from './precision.ts';

/**
 * The roofline as times. A point must move its bytes through every level and push its work through its pipes; these go on
 * at once, so at best it takes the longest of them, and that one is its bound:
 *
 *     t_level = Q_level / BW_level             t_pipe = Σ over the pipe's precisions of W_p / peak_p
 *     t_best  = max over levels and pipes      attainable = W / t_best = min over roofs of min(peak, AI·BW)
 *
 * Precisions of the tensor pipe share it, so their times add; CUDA-core work runs beside it. With one precision this is
 * the textbook roofline (Williams, Waterman, Patterson 2009; hierarchical: Yang et al. 2019).
 */
export type Limit =
  | { readonly kind: 'memory'; readonly level: MemoryLevel; readonly seconds: Seconds }
  | {
      readonly kind: 'compute';
      readonly pipe: Pipe;
      readonly precision: Precision;
      readonly seconds: Seconds;
    };

/** Why neither memory nor compute explains the time. */
export interface LatencyBound {
  readonly kind: 'latency';
  /** The nearest roof all the same. */
  readonly nearest: Limit;
  readonly reason: string;
}

export interface Assessment {
  /** FLOP/B by level. 0 for a copy. */
  readonly intensity: Readonly<Partial<Record<MemoryLevel, number>>>;
  /** Every limit that has a ceiling, longest first. */
  readonly limits: readonly Limit[];
  readonly bound: Limit | LatencyBound;
  readonly attainable: FlopPerSec;
  readonly bestNs: Ns;
  /** Achieved rate, and its share of the attainable one; absent where the point has no time. */
  readonly achieved?: FlopPerSec;
  readonly efficiency?: Fraction;
  /** One sentence for people: what bounds it and how far from the roof it is. */
  readonly verdict: string;
  readonly warnings: readonly string[];
}

/** FLOP/B where a memory roof meets a compute roof: left of it memory bounds, right of it compute. */
export const ridge = (peak: FlopPerSec, bandwidth: BytesPerSec): number => peak / bandwidth;

export const roofAt = (intensity: number, peak: FlopPerSec, bandwidth: BytesPerSec): FlopPerSec =>
  Math.min(peak, intensity * bandwidth);

/**
 * Below this share of its nearest roof a point is called latency-bound: ncu's own rule for "neither compute nor memory
 * above 60 % of peak" (SpeedOfLight section). Too little is in flight: small grids, dependent instructions, launch gaps.
 */
export const latencyBelow: Fraction = 0.6;

/** Up to this much above a roof is called measuring noise (clock drift between passes). */
export const aboveRoofTolerance: Fraction = 0.02;

export function limitsOf(point: RooflinePoint, ceilings: Ceilings): Limit[] {
  const limits: Limit[] = [];
  for (const level of memoryLevels) {
    const bytes = point.bytes[level];
    const ceiling = ceilings.memory[level];
    if (bytes !== undefined && ceiling !== undefined)
      limits.push({ kind: 'memory', level, seconds: bytes / ceiling.value });
  }
  for (const pipe of ['tensor', 'cuda'] as const) {
    let seconds = 0;
    let largest: Precision | undefined;
    let largestSeconds = 0;
    for (const precision of precisions) {
      const work = point.work[precision];
      const ceiling = ceilings.compute[precision];
      if (pipeOf(precision) !== pipe || work === undefined || ceiling === undefined) continue;
      const share = work / ceiling.value;
      seconds += share;
      if (share > largestSeconds) {
        largest = precision;
        largestSeconds = share;
      }
    }
    if (largest !== undefined) limits.push({ kind: 'compute', pipe, precision: largest, seconds });
  }
  return limits.sort((a, b) => b.seconds - a.seconds);
}

export const limitLabel = (limit: Limit): string =>
  limit.kind === 'memory'
    ? `${levelLabel[limit.level]} bandwidth`
    : `${precisionLabel[limit.precision]} compute`;

/** Undefined where no ceiling applies to anything the point does. */
export function assess(point: RooflinePoint, ceilings: Ceilings): Assessment | undefined {
  const limits = limitsOf(point, ceilings);
  const [nearest] = limits;
  if (nearest === undefined || nearest.seconds <= 0) return undefined;
  const work = totalWork(point);
  const intensity: Partial<Record<MemoryLevel, number>> = {};
  for (const level of memoryLevels) {
    const bytes = point.bytes[level];
    if (bytes !== undefined && bytes > 0) intensity[level] = work / bytes;
  }
  const bestNs = nearest.seconds * nsPerSecond;
  const attainable = work / nearest.seconds;
  const warnings = missingCeilings(point, ceilings);
  if (point.timeNs === undefined || point.timeNs <= 0) {
    return {
      intensity,
      limits,
      bound: nearest,
      attainable,
      bestNs,
      verdict: `bound by ${limitLabel(nearest)}: ≥ ${duration(bestNs)}`,
      warnings,
    };
  }
  const efficiency = bestNs / point.timeNs;
  const achieved = (work / point.timeNs) * nsPerSecond;
  // A simulated time is made of limits and efficiencies: what keeps it from the roof is the cost model, not latency.
  const slow = efficiency < latencyBelow && point.source !== 'simulated';
  const bound: Assessment['bound'] = slow
    ? { kind: 'latency', nearest, reason: whyLatency(point, efficiency) }
    : nearest;
  if (efficiency > 1 + aboveRoofTolerance) warnings.unshift(aboveRoof(efficiency));
  return {
    intensity,
    limits,
    bound,
    attainable,
    bestNs,
    achieved,
    efficiency,
    verdict: slow
      ? `latency-bound: ${percent(efficiency)} of its nearest roof (${limitLabel(nearest)})`
      : `bound by ${limitLabel(nearest)}: ${percent(efficiency)} of the roof`,
    warnings,
  };
}

/** Threads that fill an SM of 2,048 on the smallest card listed; fewer cannot hide latency. */
const fewThreads = 58 * 2048;

function whyLatency(point: RooflinePoint, efficiency: Fraction): string {
  const share = `it moves data and computes at ${percent(efficiency)} of what its nearest roof allows`;
  if (point.threads !== undefined && point.threads < fewThreads) {
    return `${share}; its ${point.threads} threads cannot fill the card: batch more work into one launch`;
  }
  if (point.timeNs !== undefined && point.timeNs < 5_000) {
    return `${share}; at ${duration(point.timeNs)} start-up and drain of the launch dominate: fuse it with its neighbours`;
  }
  return `${share}; neither is busy: look at occupancy, dependent instructions, and gaps between launches`;
}

/** A point above its roof is an error detector, never a winner. */
const aboveRoof = (efficiency: Fraction): string =>
  `${percent(efficiency)} of the roof is impossible: usual causes are structured sparsity, a ceiling of another clock or ` +
  'precision, bytes served by a cache that was warm, or padded tiles counted as work';

function missingCeilings(point: RooflinePoint, ceilings: Ceilings): string[] {
  const out: string[] = [];
  for (const precision of precisions) {
    if ((point.work[precision] ?? 0) > 0 && ceilings.compute[precision] === undefined) {
      out.push(`no ${precisionLabel[precision]} ceiling is known: its work is left out of the bound`);
    }
  }
  for (const level of memoryLevels) {
    if (point.bytes[level] !== undefined && ceilings.memory[level] === undefined) {
      out.push(`no ${levelLabel[level]} ceiling is known: its bytes are left out of the bound`);
    }
  }
  return out;
}

const percent = (share: Fraction): string => `${Math.round(share * 1000) / 10} %`;
/** Three significant figures in the unit that fits. */
function duration(ns: Ns): string {
  const [unit, size] =
    ns < 1e6 ? (['µs', 1e3] as const) : ns < 1e9 ? (['ms', 1e6] as const) : (['s', 1e9] as const);
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}

/** Where a point lies on a log-log chart of one level; absent where it has no work, no bytes there, or no rate. */
export function position(
  point: RooflinePoint,
  level: MemoryLevel,
  assessment: Assessment,
): { readonly intensity: number; readonly rate: FlopPerSec } | undefined {
  const work: Flop = totalWork(point);
  const intensity = assessment.intensity[level];
  const rate = assessment.achieved ?? assessment.attainable;
  return work > 0 && intensity !== undefined && rate > 0 ? { intensity, rate } : undefined;
}

/** The roof to draw for a point: of its main precision. */
export const peakFor = (point: RooflinePoint, ceilings: Ceilings): FlopPerSec | undefined => {
  const precision = mainPrecision(point);
  return precision === undefined ? undefined : ceilings.compute[precision]?.value;
};
