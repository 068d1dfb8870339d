import { summaryFigures } from '../../../workloads/metrics/summaryFigures.ts';
import type { Summary } from '../../../workloads/run/summary.ts';
import type { RunData } from '../../state/runData.ts';
import type { SampleSeries } from '../../state/sampleSeries.ts';

/** One tile: the value that stands big, and the two beside it. Ids of the metric registry. */
export interface Kpi {
  readonly id: string;
  /** A shorter label, if the metric's own is too long for a tile. */
  readonly label?: string;
  readonly main: string;
  readonly minor: readonly string[];
  /** How pools add up where the cluster has no series of its own. */
  readonly over: 'sum' | 'max' | 'none';
}

export const kpis: readonly Kpi[] = [
  { id: 'ttft_ms', main: 'ttft_ms.p50', minor: ['ttft_ms.p95', 'ttft_ms.p99'], over: 'none' },
  { id: 'tpot_ms', main: 'tpot_ms.p50', minor: ['tpot_ms.p95', 'tpot_ms.p99'], over: 'none' },
  { id: 'goodput_rps', main: 'goodput_rps', minor: ['throughput_rps'], over: 'none' },
  { id: 'queue_depth', main: 'queue_depth', minor: ['running'], over: 'sum' },
  { id: 'kv_used', label: 'KV in use', main: 'kv_used', minor: ['kv_cached'], over: 'max' },
  { id: 'rejected', main: 'rejected', minor: ['arrivals_rps'], over: 'none' },
];

/**
 * The figures of a finished run, by metric: those of its summary, the same that Compare shows; queue, batch and KV use, which
 * the summary has per instance only, as means over the samples of the run.
 */
export function wholeRunFigures(
  summary: Summary | undefined,
  data: RunData | undefined,
): ReadonlyMap<string, number> | undefined {
  if (summary === undefined || data === undefined) return undefined;
  const figures = new Map(summaryFigures(summary));
  for (const { main, minor, over } of kpis) {
    for (const metric of [main, ...minor]) {
      if (figures.has(metric)) continue;
      const mean = meanOver(seriesFor(data, metric, over), over, data.endMs);
      if (Number.isFinite(mean)) figures.set(metric, mean);
    }
  }
  return figures;
}

const meanSteps = 400;

/** Mean over the run, at equal steps of time; NaN without samples. */
function meanOver(series: readonly SampleSeries[], over: Kpi['over'], endMs: number): number {
  const values = recentValues(series, over, 0, endMs, meanSteps).filter(Number.isFinite);
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Series of a metric: the cluster's, or those of the pools to be put together. */
export function seriesFor(data: RunData, metric: string, over: Kpi['over']): readonly SampleSeries[] {
  const whole = data.series('cluster', metric);
  if (whole !== undefined) return [whole];
  if (over === 'none') return [];
  return data.sources('pool:').flatMap((source) => data.series(source, metric) ?? []);
}

/** The value known at a time; NaN before there is one. */
export function valueAt(series: readonly SampleSeries[], over: Kpi['over'], timeMs: number): number {
  const values = series.map((each) => each.valueAt(each.indexAt(timeMs))).filter(Number.isFinite);
  if (values.length === 0) return Number.NaN;
  return over === 'sum' ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
}

/** `count` values at equal steps up to a time, for a sparkline. */
export function recentValues(
  series: readonly SampleSeries[],
  over: Kpi['over'],
  fromMs: number,
  toMs: number,
  count: number,
): number[] {
  return Array.from({ length: count }, (_, index) =>
    valueAt(series, over, fromMs + ((toMs - fromMs) * (index + 1)) / count),
  );
}
