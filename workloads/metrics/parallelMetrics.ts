import { fraction, gauge } from './metricKinds.ts';
import type { Metric } from './registry.ts';

/** What mixtures of experts over several GPUs and pipelines show; present only in runs that have one. */
export const parallelMetrics: readonly Metric[] = [
  gauge(
    'expert_imbalance',
    'Expert imbalance',
    'count',
    'balance',
    'quantity',
    'lower',
    'Tokens of the busiest expert ÷ mean tokens per expert in one sparse layer, mean over layers and tokens; 1 = even',
  ),
  gauge(
    'rank_imbalance',
    'Expert rank imbalance',
    'count',
    'balance',
    'quantity',
    'lower',
    '(token, expert) pairs of the busiest GPU ÷ mean pairs per GPU in one sparse layer, mean over layers and tokens; 1 = even',
  ),
  gauge(
    'data_rank_imbalance',
    'Data-parallel imbalance',
    'count',
    'balance',
    'quantity',
    'lower',
    'Tokens of the busiest data-parallel rank ÷ mean tokens per rank, over the passes; 1 = even',
  ),
  fraction(
    'drop_rate',
    'Dropped pairs',
    'balance',
    'lower',
    '(token, expert) pairs beyond an expert’s capacity ÷ all pairs',
  ),
  fraction(
    'off_island_share',
    'Off-island pairs',
    'transfer',
    'lower',
    '(token, expert) pairs computed on another island than the token’s ÷ pairs computed',
  ),
  fraction(
    'expert_share',
    'Expert time',
    'utilisation',
    'neutral',
    'Time of the slowest rank’s routed experts ÷ time of passes',
  ),
  fraction(
    'straggler_share',
    'Expert straggling',
    'utilisation',
    'lower',
    '(Time of the slowest rank’s routed experts − mean over ranks) ÷ time of passes',
  ),
  fraction(
    'all_to_all_share',
    'All-to-all time',
    'transfer',
    'lower',
    'Time of dispatch and combine ÷ time of passes, hidden behind computation or not',
  ),
  fraction(
    'exposed_all_to_all_share',
    'Exposed all-to-all',
    'transfer',
    'lower',
    'Time of dispatch and combine that nothing hid ÷ time of passes',
  ),
  fraction(
    'bubble_fraction',
    'Pipeline bubble',
    'utilisation',
    'lower',
    'Idle time of the stages ÷ (stages × time with a micro-batch in the pipeline), as it happened',
  ),
];
