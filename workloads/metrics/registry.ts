import { fleetMetrics } from './fleetMetrics.ts';
import { gpuMetrics } from './gpuMetrics.ts';
import { parallelMetrics } from './parallelMetrics.ts';
import { servingMetrics } from './servingMetrics.ts';
import { prefixFetchMetrics, tierMetrics } from './tierMetrics.ts';

/**
 * Every metric id that occurs in samples, summaries, tables, exports and charts, once. Window, command line, report and
 * tests iterate over this list; nothing else spells out a label, a unit or a definition.
 *
 * In the definitions: t0 = intended arrival, t1 = first token, tn = last token, n = output tokens.
 */
export type MetricUnit =
  | 'ms'
  | 's'
  | 'requests/s'
  | 'tokens/s'
  | 'requests'
  | 'tokens'
  | 'blocks'
  | 'count'
  | 'fraction'
  | 'bytes'
  | 'bytes/s'
  | 'FLOP/s'
  | 'W'
  | 'J'
  | '°C'
  | 'MHz'
  | 'USD'
  | 'kWh'
  | 'GPU-hours'
  | 'requests/GPU-hour';

export type MetricKind = 'latency' | 'rate' | 'count' | 'fraction' | 'gauge' | 'counter';
/** How a value is written; see `format.ts`. */
export type MetricFormat = 'duration' | 'rate' | 'count' | 'percent' | 'bytes' | 'quantity';
export type MetricGroup =
  | 'latency'
  | 'service'
  | 'load'
  | 'cache'
  | 'transfer'
  | 'balance'
  | 'utilisation'
  | 'fleet'
  | 'gpu'
  | 'client';
export type Better = 'lower' | 'higher' | 'neutral';

export interface Metric {
  readonly id: string;
  readonly label: string;
  readonly unit: MetricUnit;
  /** The formula, in words that a lab report can quote. */
  readonly definition: string;
  readonly better: Better;
  readonly format: MetricFormat;
  readonly kind: MetricKind;
  readonly group: MetricGroup;
}

export const metrics: readonly Metric[] = [
  ...servingMetrics,
  ...tierMetrics,
  ...prefixFetchMetrics,
  ...parallelMetrics,
  ...fleetMetrics,
  ...gpuMetrics,
];

export type Statistic = 'mean' | 'min' | 'p50' | 'p90' | 'p95' | 'p99' | 'max';
const statistics: ReadonlySet<string> = new Set<Statistic>([
  'mean',
  'min',
  'p50',
  'p90',
  'p95',
  'p99',
  'max',
]);
const isStatistic = (text: string): text is Statistic => statistics.has(text);

const byId: ReadonlyMap<string, Metric> = new Map(metrics.map((m) => [m.id, m]));

/** The metric of an id, with or without a statistic behind a dot (`ttft_ms.p95`); undefined where the registry does not know it. */
export function findMetric(
  id: string,
): { readonly metric: Metric; readonly statistic?: Statistic } | undefined {
  const whole = byId.get(id);
  if (whole !== undefined) return { metric: whole };
  const dot = id.lastIndexOf('.');
  if (dot < 0) return undefined;
  const metric = byId.get(id.slice(0, dot));
  const suffix = id.slice(dot + 1);
  return metric !== undefined && isStatistic(suffix) ? { metric, statistic: suffix } : undefined;
}

/** The metric of an id that the program itself wrote: an id that is not in the registry is a mistake in the program. */
export function metricOf(id: string): Metric {
  const found = findMetric(id);
  if (found === undefined) throw new RangeError(`no metric "${id}" in the registry`);
  return found.metric;
}

/** `TTFT p95`, `Goodput`; the id itself where the registry does not know it. */
export function metricLabel(id: string): string {
  const found = findMetric(id);
  if (found === undefined) return id;
  return found.statistic === undefined ? found.metric.label : `${found.metric.label} ${found.statistic}`;
}
