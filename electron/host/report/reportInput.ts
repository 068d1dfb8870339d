import type { Summary } from '../../../workloads/run/summary.ts';
import type { Comparison, RunInfo, SeriesResult } from '../../contract/protocol.ts';

/** Latency metrics whose distribution the report draws. */
export const reportCdfMetrics = ['ttft_ms', 'tpot_ms'] as const;
export type ReportCdfMetric = (typeof reportCdfMetrics)[number];

/** How many quantiles of a CDF and how many time buckets of a series the report draws; ask `runs.cdf` and `runs.series` for these. */
export const reportCdfPoints = 300;
export const reportSeriesWidth = 240;

/** As `runs.cdf` gives it: `values[i]` is the quantile i/(length − 1), ascending; n is the number of samples behind them. */
export interface ReportCdf {
  readonly values: ArrayLike<number>;
  readonly n: number;
}

/** One run (a variant of an A/B comparison, or the only one) and what the report shows of it. */
export interface ReportRun {
  readonly info: RunInfo;
  /** manifest.json as it is: spec, versions, hardware. Read defensively; what is missing is not shown. */
  readonly manifest: unknown;
  readonly summary: Summary;
  readonly cdf: Readonly<Partial<Record<ReportCdfMetric, ReportCdf>>>;
  /** The series of `reportSeries` that the run holds, as `runs.series` gives them. */
  readonly series: readonly SeriesResult[];
  /** The command line that repeats this run. */
  readonly command: string;
}

export interface ReportInput {
  readonly title: string;
  /** When the report was made: ISO 8601, UTC. */
  readonly made: string;
  /** Version of Dyno that made it. */
  readonly version: string;
  /** One run, or two with the baseline first. */
  readonly runs: readonly [ReportRun] | readonly [ReportRun, ReportRun];
  /** Present with two runs. */
  readonly comparison?: Comparison;
  /** The command line that repeats the comparison; with one run, that run's. */
  readonly command: string;
}

const percentiles = ['p50', 'p95', 'p99'] as const;
const clusterMetrics: ReadonlySet<string> = new Set([
  ...percentiles.flatMap((p) => [`ttft_ms.${p}`, `tpot_ms.${p}`]),
  'goodput_rps',
]);
const poolMetrics: ReadonlySet<string> = new Set(['queue_depth', 'kv_used']);

/** Of what a run holds (`runs.sources`), the series that the report draws. */
export function reportSeries<S extends { readonly source: string; readonly metric: string }>(
  sources: readonly S[],
): S[] {
  return sources.filter(
    ({ source, metric }) =>
      (source === 'cluster' && clusterMetrics.has(metric)) ||
      (source.startsWith('pool:') && poolMetrics.has(metric)),
  );
}
