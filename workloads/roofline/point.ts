import type { Bytes, Flop, Ns } from '../units.ts';
import type { MemoryLevel } from './ceilings.ts';
import { type Precision, precisions } from './precision.ts';

/**
 * Where a point comes from: `analytic` formulas of a model shape; a `simulated` run; `measured` in the process by CUPTI;
 * `captured` by ncu (whose replay flushes caches and may lock clocks).
 */
export type PointSource = 'analytic' | 'simulated' | 'measured' | 'captured';

export interface RooflinePoint {
  readonly id: string;
  readonly label: string;
  readonly source: PointSource;
  /** Per GPU. Precisions with no work are absent. */
  readonly work: Readonly<Partial<Record<Precision, Flop>>>;
  /** Per GPU; a level that nothing tells of is absent. */
  readonly bytes: Readonly<Partial<Record<MemoryLevel, Bytes>>>;
  /** How long it took; absent for an analytic point, which says how long it would take at best. */
  readonly timeNs?: Ns;
  /** Threads of the launch, where known: tells a small launch from a slow one. */
  readonly threads?: number;
  /** How the figures came about, one formula with its numbers per line. */
  readonly formula: readonly string[];
  /** What a reader must know: terms left out, counters missing. */
  readonly notes: readonly string[];
}

export function totalWork(point: Pick<RooflinePoint, 'work'>): Flop {
  let sum = 0;
  for (const precision of precisions) sum += point.work[precision] ?? 0;
  return sum;
}

/** The precision with the largest share; undefined where there is no work (a copy). */
export function mainPrecision(point: Pick<RooflinePoint, 'work'>): Precision | undefined {
  let best: Precision | undefined;
  for (const precision of precisions) {
    if ((point.work[precision] ?? 0) > (best === undefined ? 0 : (point.work[best] ?? 0))) best = precision;
  }
  return best;
}

/** More than one precision does at least a tenth of the work. */
export function isMixed(point: Pick<RooflinePoint, 'work'>): boolean {
  const total = totalWork(point);
  return precisions.filter((precision) => (point.work[precision] ?? 0) >= total / 10 && total > 0).length > 1;
}

/**
 * One point for several of one kind: work, bytes and time are summed. Intensities are never averaged: a mean of ratios
 * would weigh a tiny kernel like a long one. A level that one of them lacks is absent in the sum.
 */
export function summed(
  id: string,
  label: string,
  points: readonly RooflinePoint[],
): RooflinePoint | undefined {
  const [first] = points;
  if (first === undefined) return undefined;
  const work: Partial<Record<Precision, Flop>> = {};
  const bytes: Partial<Record<MemoryLevel, Bytes>> = { ...first.bytes };
  let timeNs: Ns | undefined = 0;
  points.forEach((point, index) => {
    for (const precision of precisions) {
      const value = point.work[precision];
      if (value !== undefined) work[precision] = (work[precision] ?? 0) + value;
    }
    for (const level of ['hbm', 'l2', 'l1'] as const) {
      const value = point.bytes[level];
      const sum = bytes[level];
      if (value === undefined || sum === undefined) delete bytes[level];
      else if (index > 0) bytes[level] = sum + value;
    }
    timeNs = timeNs === undefined || point.timeNs === undefined ? undefined : timeNs + point.timeNs;
  });
  return {
    id,
    label,
    source: first.source,
    work,
    bytes,
    ...(timeNs === undefined ? {} : { timeNs }),
    formula: [`sum over ${points.length} points: ΣW, ΣQ, ΣT`],
    notes: [...new Set(points.flatMap((point) => point.notes))],
  };
}
