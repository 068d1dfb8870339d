import type { ReportRun } from '../reportInput.ts';

/** One bucket of a decimated series; a gap in the data has no bucket values and splits the series. */
export interface Bucket {
  readonly ms: number;
  readonly last: number;
  readonly min: number;
  readonly max: number;
}

/** A run's series as stretches without a gap; none where the run does not hold it. */
export function stretches(run: ReportRun, source: string, metric: string): readonly (readonly Bucket[])[] {
  const points = run.series.find((s) => s.source === source && s.metric === metric)?.points;
  const found: Bucket[][] = [];
  let open: Bucket[] | undefined;
  for (let i = 0; points !== undefined && i + 3 < points.length; i += 4) {
    const [ms, last, min, max] = [points[i], points[i + 1], points[i + 2], points[i + 3]];
    if (!isNumber(ms) || !isNumber(last)) {
      open = undefined;
      continue;
    }
    if (open === undefined) {
      open = [];
      found.push(open);
    }
    open.push({ ms, last, min: isNumber(min) ? min : last, max: isNumber(max) ? max : last });
  }
  return found;
}

const isNumber = (value: number | undefined): value is number =>
  value !== undefined && Number.isFinite(value);

/** Pools with a series of this metric, in the order prefill, decode, mixed, others. */
export function poolsWith(runs: readonly ReportRun[], metric: string): readonly string[] {
  const order = ['prefill', 'decode', 'mixed'];
  const rank = (pool: string) => (order.includes(pool) ? order.indexOf(pool) : order.length);
  const pools = new Set(
    runs.flatMap((run) =>
      run.series
        .filter((s) => s.metric === metric && s.source.startsWith('pool:'))
        .map((s) => s.source.slice('pool:'.length)),
    ),
  );
  return [...pools].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

export const lastTime = (all: readonly (readonly Bucket[])[]): number =>
  all.reduce((latest, stretch) => Math.max(latest, stretch.at(-1)?.ms ?? 0), 0);
