import type { LatencyMetricId, Summary } from '../../../workloads/harness/summary.ts';
import { findMetric } from '../../../workloads/metrics/registry.ts';

const isLatency = (id: string): id is LatencyMetricId =>
  id === 'ttft_ms' || id === 'tpot_ms' || id === 'itl_ms' || id === 'e2e_ms' || id === 'queue_ms';

/** A metric's value in a summary, by its dotted id; undefined where the run has none. */
export function summaryFigure(summary: Summary, id: string): number | undefined {
  const found = findMetric(id);
  if (found?.statistic !== undefined) {
    return isLatency(found.metric.id) ? summary.metrics[found.metric.id]?.[found.statistic] : undefined;
  }
  switch (id) {
    case 'goodput_rps':
    case 'throughput_rps':
    case 'output_tokens_per_s':
    case 'prompt_tokens_per_s':
      return summary[id];
    case 'arrived':
    case 'completed':
    case 'rejected':
    case 'unfinished':
      return summary.requests[id];
    case 'preemptions':
      return summary.requests.preempted;
    case 'migrations':
      return summary.requests.migrated;
    case 'prefix_hit_rate':
      return summary.kv.block_refs > 0 ? summary.kv.hit_rate : undefined;
    case 'hits':
      return summary.kv.hits;
    case 'evictions':
      return summary.kv.evictions;
    case 'transfers':
      return summary.kv.transfers;
    case 'transfer_bytes':
      return summary.kv.transfer_bytes;
    case 'request_imbalance':
    case 'token_imbalance':
      return summary.balance[id];
    case 'good_share':
      return summary.good_requests === undefined || summary.requests.arrived === 0
        ? undefined
        : summary.good_requests / summary.requests.arrived;
    default:
      return undefined;
  }
}
