import type { LatencyMetricId, Summary } from '../run/summary.ts';
import { fleetFigures } from './fleetMetrics.ts';
import { parallelMetrics } from './parallelMetrics.ts';
import type { Statistic } from './registry.ts';
import { prefixFetchFigures, tierFigures } from './tierMetrics.ts';

const latencies: readonly LatencyMetricId[] = [
  'ttft_ms',
  'tpot_ms',
  'itl_ms',
  'tbt10_ms',
  'e2e_ms',
  'queue_ms',
];
const techniqueFigures = [
  'tokens_per_round',
  'draft_acceptance',
  'draft_length',
  'draft_time_share',
  'token_depth',
  'pass_depth',
  'exit_agreement',
  'mask_ms',
  'mask_exposed_share',
] as const;
const statistics: readonly Statistic[] = ['mean', 'min', 'p50', 'p90', 'p95', 'p99', 'max'];

/**
 * Every figure of a summary by its dotted metric id (`ttft_ms.p95`, `goodput_rps`), in the order in which tables show
 * them. The one place that knows where in a summary a figure stands: command line, report, sweeps and window ask it.
 * A figure that a run does not have is absent.
 */
export function summaryFigures(summary: Summary): ReadonlyMap<string, number> {
  const figures = new Map<string, number>();
  const add = (id: string, value: number | undefined) => {
    if (value !== undefined) figures.set(id, value);
  };
  for (const id of latencies) {
    const distribution = summary.metrics[id];
    if (distribution === undefined) continue;
    for (const statistic of statistics) figures.set(`${id}.${statistic}`, distribution[statistic]);
  }
  add('goodput_rps', summary.goodput_rps);
  const { window }: Partial<Summary> = summary;
  if (window?.good !== undefined && window.requests > 0) add('good_share', window.good / window.requests);
  else if (summary.good_requests !== undefined && summary.requests.arrived > 0)
    add('good_share', summary.good_requests / summary.requests.arrived);
  add('throughput_rps', summary.throughput_rps);
  add('output_tokens_per_s', summary.output_tokens_per_s);
  add('prompt_tokens_per_s', summary.prompt_tokens_per_s);
  // Summaries of older versions and of other engines lack some of the groups.
  const { kv, requests, balance, moe, pipeline, fleet }: Partial<Summary> = summary;
  if (kv !== undefined) {
    if (kv.block_refs > 0) add('prefix_hit_rate', kv.hit_rate);
    add('hits', kv.hits);
    add('evictions', kv.evictions);
    add('stranded', kv.stranded);
    add('transfers', kv.transfers);
    add('transfer_bytes', kv.transfer_bytes);
    if (kv.prefix_fetches !== undefined) {
      for (const [id, value] of prefixFetchFigures(kv.prefix_fetches)) add(id, value);
    }
    if (kv.tiers !== undefined) for (const [id, value] of tierFigures(kv.tiers)) add(id, value);
  }
  add('arrived', requests?.arrived);
  add('completed', requests?.completed);
  add('rejected', requests?.rejected);
  add('unfinished', requests?.unfinished);
  add('preemptions', requests?.preempted);
  add('migrations', requests?.migrated);
  const { scheduling }: Partial<Summary> = summary;
  add('swap_outs', scheduling?.swap?.outs);
  add('swap_ins', scheduling?.swap?.ins);
  add('swap_bytes', scheduling?.swap?.bytes);
  add('swap_stall_ms', scheduling?.swap?.stall_ms);
  add('swap_refused', scheduling?.swap?.refused);
  add('padding_share', scheduling?.padding_share);
  add('in_time', scheduling?.in_time);
  add('first_class_in_time', scheduling?.first_class_in_time);
  add('adequate_share', summary.quality?.adequate_share);
  add('oversized_share', summary.quality?.oversized_share);
  add('gpu_seconds', summary.quality?.gpu_seconds);
  add('gpu_seconds_per_request', summary.quality?.gpu_seconds_per_request);
  add('refusals', summary.admission?.refusals);
  add('retried', summary.admission?.retried);
  add('wasted_prefills', summary.admission?.wasted_prefills);
  add('prefill_load_std', summary.admission?.prefill_load.std);
  add('decode_load_std', summary.admission?.decode_load.std);
  add('request_imbalance', balance?.request_imbalance);
  add('token_imbalance', balance?.token_imbalance);
  const { technique }: Partial<Summary> = summary;
  for (const id of techniqueFigures) add(id, technique?.[id]);
  for (const { id } of parallelMetrics) {
    if (id === 'bubble_fraction') add(id, pipeline?.bubble_fraction);
    else add(id, Object.entries(moe ?? {}).find(([name]) => name === id)?.[1]);
  }
  for (const id of fleetFigures) add(id, fleet?.[id]);
  for (const id of ['mfu', 'bandwidth_share', 'energy_kwh', 'cost_usd'] as const) add(id, summary.use?.[id]);
  return figures;
}
