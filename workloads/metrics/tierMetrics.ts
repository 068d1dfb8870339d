import type { TierKind } from '../run/kvSpec.ts';
import type { PrefixFetchSummary, TiersSummary } from '../run/tierSummary.ts';
import { count, fraction, gauge } from './metricKinds.ts';
import type { Metric } from './registry.ts';

const tiers: readonly TierKind[] = ['peer', 'host', 'disk'];
const names: Readonly<Record<TierKind, { readonly label: string; readonly where: string }>> = {
  peer: { label: 'Peer', where: 'HBM of other GPUs in the node' },
  host: { label: 'Host', where: 'host memory' },
  disk: { label: 'Disk', where: 'disk' },
};

function metricsOfTier(tier: TierKind): readonly Metric[] {
  const { label, where } = names[tier];
  return [
    count(
      `${tier}_hits`,
      `${label} hits`,
      'blocks',
      'cache',
      'higher',
      `Prompt blocks that requests fetched from ${where}`,
    ),
    count(
      `${tier}_hit_tokens`,
      `${label} hit tokens`,
      'tokens',
      'cache',
      'higher',
      `Prompt tokens that were not computed because their blocks came from ${where}`,
    ),
    count(
      `${tier}_promotions`,
      `${label} promotions`,
      'blocks',
      'transfer',
      'neutral',
      `Blocks sent up from ${where}`,
    ),
    count(
      `${tier}_demotions`,
      `${label} demotions`,
      'blocks',
      'transfer',
      'neutral',
      `Blocks sent down to ${where}`,
    ),
    count(
      `${tier}_drops`,
      `${label} drops`,
      'blocks',
      'cache',
      'lower',
      `Blocks that ${where} gave up or did not take in, and that no tier below took`,
    ),
    fraction(
      `${tier}_up_busy`,
      `${label} link up`,
      'utilisation',
      'neutral',
      `Share of time in which a link from ${where} up to HBM was taken; the mean over links`,
    ),
    fraction(
      `${tier}_down_busy`,
      `${label} link down`,
      'utilisation',
      'neutral',
      `Share of time in which a link down to ${where} was taken; the mean over links`,
    ),
  ];
}

/** What the tiers below HBM show. */
export const tierMetrics: readonly Metric[] = [
  count('hbm_hits', 'HBM hits', 'blocks', 'cache', 'higher', 'Prompt blocks found in the instance’s own HBM'),
  ...tiers.flatMap(metricsOfTier),
  count(
    'tier_fetches',
    'Tier fetches',
    'requests',
    'transfer',
    'neutral',
    'Times that a request waited for blocks from a tier below HBM',
  ),
  gauge(
    'tier_stall_ms',
    'Fetch stall',
    'ms',
    'latency',
    'duration',
    'lower',
    'Admission until the last fetched block is in HBM; the mean over fetches, waiting for the link included',
  ),
  gauge(
    'tier_stall_s',
    'Fetch stalls, total',
    's',
    'latency',
    'quantity',
    'lower',
    'Sum of all fetch stalls',
  ),
  count(
    'tier_passed_over',
    'Tier blocks passed over',
    'blocks',
    'cache',
    'neutral',
    'Prompt blocks found in a tier below HBM and computed all the same, by policy or because that was expected to be sooner',
  ),
  gauge(
    'decode_slowed_s',
    'Decode slowed by transfers',
    's',
    'transfer',
    'quantity',
    'lower',
    'Time by which transfers up made decode passes longer, summed over passes and instances',
  ),
  count(
    'fetches_throttled',
    'Fetches throttled',
    'count',
    'transfer',
    'neutral',
    'Fetches that were slowed so that decode passes beside them keep the latency budget',
  ),
  count(
    'decode_over_budget',
    'Decode passes over budget',
    'count',
    'transfer',
    'lower',
    'Passes with decoding sequences that a transfer made longer than the latency budget, which they would have kept alone',
  ),
];

/** What fetching prefixes from another instance's HBM shows. */
export const prefixFetchMetrics: readonly Metric[] = [
  count(
    'prefix_fetches',
    'Prefix fetches',
    'requests',
    'transfer',
    'neutral',
    'Prompts that fetched their prefix from another instance’s HBM before they queued',
  ),
  count(
    'prefix_fetch_blocks',
    'Prefix blocks fetched',
    'blocks',
    'transfer',
    'neutral',
    'Blocks that came from another instance’s HBM before the prompt queued',
  ),
  gauge(
    'prefix_fetch_ms',
    'Prefix fetch',
    'ms',
    'latency',
    'duration',
    'lower',
    'Router’s decision until the prefix from another instance was there; the mean over fetches, waiting for the links included',
  ),
  count(
    'prefix_fetches_refused',
    'Prefix fetches refused',
    'count',
    'transfer',
    'lower',
    'Prefixes that were not fetched because the target had no blocks for them',
  ),
];

export function prefixFetchFigures(
  summary: PrefixFetchSummary,
): readonly (readonly [string, number | undefined])[] {
  return [
    ['prefix_fetches', summary.fetches],
    ['prefix_fetch_blocks', summary.blocks],
    ['prefix_fetch_ms', summary.fetches > 0 ? (summary.wait_s * 1e3) / summary.fetches : undefined],
    ['prefix_fetches_refused', summary.refused],
  ];
}

/** The figures of a run with tiers, by metric id. */
export function tierFigures(summary: TiersSummary): readonly (readonly [string, number | undefined])[] {
  return [
    ['hbm_hits', summary.hbm_hits],
    ...summary.levels.flatMap((level): [string, number][] => [
      [`${level.tier}_hits`, level.hits],
      [`${level.tier}_hit_tokens`, level.hit_tokens],
      [`${level.tier}_promotions`, level.promotions],
      [`${level.tier}_demotions`, level.demotions],
      [`${level.tier}_drops`, level.drops],
      [`${level.tier}_up_busy`, level.up_busy],
      [`${level.tier}_down_busy`, level.down_busy],
    ]),
    ['tier_fetches', summary.fetches],
    ['tier_stall_ms', summary.stall_mean_ms],
    ['tier_stall_s', summary.stall_s],
    ['tier_passed_over', summary.passed_over],
    ['decode_slowed_s', summary.slowed_s],
    ['fetches_throttled', summary.throttled],
    ['decode_over_budget', summary.over_budget],
  ];
}
