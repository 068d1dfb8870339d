import { expertCluster, expertFixed, ranksPolicy } from './expertBase.ts';
import { expertParameters } from './expertParameters.ts';
import { number, servingTarget } from './servingBase.ts';

export const moeOverlap = servingTarget({
  id: 'ch15:moe_overlap',
  chapter: 'ch15',
  title: 'Overlap of the all-to-all',
  summary: 'What to compute while tokens travel: nothing, the shared expert, or the other half of the batch.',
  lesson: `**Look at** the all-to-all's share of the pass, then at what of it is exposed.

**What was claimed.** Copies first on a side stream, the shared MLP beside them: 1.43 times as fast, and 1.21 times in the second recording of the same pair. Their 75th percentiles say 1.07 and 1.30: the spread is noise. The "all-to-all" is 96 copies from host memory, and the arithmetic of the pair allows 1.05 to 1.1.

**What holds**, DeepSeek-V3 decoding on 32 GPUs, three replicates, seed 0. The shared expert hides what it can: exposed all-to-all 31.6 → 28.7 % of the pass, TPOT p50 24.6 → 23.7 ms. That is 1.04 times, for a shared expert is one of nine that work on a token. It is free, so take it, but expect no more.

**Two half batches** hide nearly all (0.2 % exposed), and pay by reading every weight twice. At 120 requests/s that is a draw: TPOT p50 23.0 ms, p95 23.8 instead of 28.1. (A lower goodput of two batches in short runs is the drain after the last arrival: rates over the measured window do not have it.) At 400 requests/s, where batches are large, TPOT p50 falls from 47.8 to 31.2 ms and goodput rises from 4.5 to 33 requests/s. Overlap of batches is a technique for large ones.

**What to try.** \`rate_rps=400\`; \`network_gb_per_s=20\`; \`moe_model=qwen3-235b-a22b\`, which has no shared expert: the optimized variant then changes nothing.`,
  claims: ['tpot_ms'],
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
