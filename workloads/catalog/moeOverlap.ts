import { expertCluster, expertFixed, ranksPolicy } from './expertBase.ts';
import { expertParameters } from './expertParameters.ts';
import { number, servingTarget } from './servingBase.ts';

export const moeOverlap = servingTarget({
  id: 'ch15:moe_overlap',
  aliases: ['ch15:moe_overlap_shared_expert'],
  chapter: 'ch15',
  title: 'Overlap of the all-to-all',
  summary: 'What to compute while tokens travel: nothing, the shared expert, or the other half of the batch.',
  lesson: 'LESSON',
  variants: [
    {
      id: 'baseline',
      label: 'One after the other',
      description: 'Dispatch, experts, combine, then the shared expert: nothing runs beside the network.',
    },
    {
      id: 'optimized',
      label: 'Shared expert beside it',
      description:
        'The shared expert needs no tokens of others: it runs while dispatch and combine are under way.',
    },
    {
      id: 'two_batch',
      label: 'Two half batches',
      description: 'One half of the batch travels while the other is computed; each half reads the weights.',
    },
  ],
  fixed: expertFixed,
  defaults: {
    traffic: 'open',
    rate_rps: 120,
    duration_s: 60,
    prompt_median: 16,
    output_median: 1000,
    prefix_share: 0,
    max_batched_tokens: 512,
    slo_tpot_ms: 40,
  },
  parameters: expertParameters,
  parts(variant, values, base) {
    const cluster = expertCluster(values, {
      ranks: number(values, 'gpus'),
      tensorParallel: 1,
      exchange: 'hierarchical',
      placement: 'balanced',
      redundant: number(values, 'redundant'),
      overlap: variant === 'optimized' ? 'shared_expert' : variant === 'two_batch' ? 'two_batch' : 'none',
    });
    return { ...base, cluster, policy: ranksPolicy };
  },
});
