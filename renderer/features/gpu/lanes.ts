import { gpuMetrics } from '../../../workloads/metrics/gpuMetrics.ts';
import { findMetric, type Metric, metricOf } from '../../../workloads/metrics/registry.ts';
import type { RunData } from '../../state/runData.ts';

/** The simulator models these per instance. */
export const modelledMetrics: readonly string[] = ['compute_util', 'memory_util', 'busy', 'kv_used'];
export const firstModelled: readonly string[] = ['compute_util', 'memory_util'];

/** Metrics of the registry that any of these sources has, in the registry's order. */
export function offeredMetrics(data: RunData | undefined, sources: readonly string[]): readonly Metric[] {
  const known = [...gpuMetrics, ...modelledMetrics.map(metricOf)];
  return known.filter(({ id }) => sources.some((source) => data?.series(source, id) !== undefined));
}

/** One lane's curves: they share an axis, and so a unit. */
export interface LaneGroup {
  readonly unit: string;
  readonly metrics: readonly Metric[];
}

/** The chosen metrics by unit, in the order of the choice: `sm_util, power_w, dram_util` → fractions, then W. */
export function laneGroups(chosen: readonly string[]): readonly LaneGroup[] {
  const groups = new Map<string, Metric[]>();
  for (const id of chosen) {
    const metric = findMetric(id)?.metric;
    if (metric === undefined) continue;
    const group = groups.get(metric.unit);
    if (group === undefined) groups.set(metric.unit, [metric]);
    else group.push(metric);
  }
  return [...groups].map(([unit, metrics]) => ({ unit, metrics }));
}

/** `GPU 0: telemetry ended (…)` is about source `gpu:0`. */
export function endOf(message: string): { readonly source: string; readonly reason: string } | undefined {
  const found = /^GPU ([\d.]+): telemetry ended (.*)$/s.exec(message);
  return found === null ? undefined : { source: `gpu:${found[1]}`, reason: `ended ${found[2]}` };
}
