import { InputError } from '../run/inputError.ts';
import { type ExpertLayout, expertCluster, expertFixed, expertPools, ranksPolicy } from './expertBase.ts';
import { expertParameters } from './expertParameters.ts';
import { number, servingTarget } from './servingBase.ts';

export const wideExpertParallelism = servingTarget({
  id: 'ch15:wide_ep',
  chapter: 'ch15',
  title: 'Wide expert parallelism',
  summary:
    'The same GPUs as several tensor-parallel replicas, or as one group that shares the experts and gives every GPU its own requests.',
  lesson: `**Look at** TPOT and goodput, then at preemptions, then at the share of pass time that the all-to-all takes.

**What was claimed.** The lab loops over 64 "ranks" on one GPU, one mask and one host round trip each, and sorts the tokens instead: 16 times as fast by its means, 30 by its 75th percentiles. That is the price of 64 host round trips. There is one expert for all ranks, a copy on the device stands in for the all-to-all, and no rank waits for another.

**What is simulated.** 32 GPUs serve DeepSeek-V3 and decode: prompts are short, as if their KV cache came from prefill instances. Four tensor-parallel nodes against one group of 32 that divides the experts, each GPU with its own requests. Every pass ends when the slowest rank ends.

**What holds.** At the defaults the wide group's TPOT p50 is about half of the nodes'. Sixty seconds of arrivals do not fill either: answers of a thousand tokens are still piling up, so TPOT goes on rising if requests come for longer, and the run says that it has not settled. Compare the two at equal durations. Two reasons: a GPU reads the weights of 9 experts per layer instead of 32, and the latent KV cache, which tensor parallelism cannot divide, is no longer held eight times: the nodes preempt 4,223 times, the wide group never. The price: 32 % of the pass is all-to-all over the network.

**What does not.** *Balanced* is hardly faster than unbalanced (25.6 ms, p95 31.2 against 28.1), though its busiest rank carries 1.1 instead of 2.3 times the mean: small batches are bound by reading weights, and replicas are more weights. *All-gather* is faster than the all-to-all (22.9 ms): eight picks out of 256 reach nearly every node anyway. With prompts in the same group (\`prompt_median=200\`, \`output_median=500\`, 60 requests/s) wide loses, 55.7 against 30.9 ms: one rank computes a prompt and 31 wait for it. That is why wide groups only decode: with a node for the prompts and 24 GPUs to decode (*prefill node, wide decode*) it is 17.6 ms, for a TTFT p95 of 93 instead of 70 ms.

**What to try.** \`skew=1\`; \`network_gb_per_s=360\`, a rack of NVLink; \`rate_rps=10\`: with few tokens the wide group's lead shrinks (14.0 against 19.6 ms).`,
  claims: ['tpot_ms', 'goodput_rps'],
  variants: [
    {
      id: 'baseline',
      label: 'Replicas of 8 GPUs',
      description:
        'Each node is a replica: attention by tensor parallelism, experts divided over its 8 GPUs.',
    },
    {
      id: 'optimized',
      label: 'One wide group, balanced',
      description:
        'All GPUs share the experts, hot ones replicated by recorded load; attention is data-parallel, tokens travel to the experts.',
    },
    {
      id: 'linear',
      label: 'One wide group, unbalanced',
      description: 'The same without replicas: experts in order of their number.',
    },
    {
      id: 'all_gather',
      label: 'One wide group, all-gather',
      description: 'Every token goes to every GPU, as vLLM does without an all-to-all kernel.',
    },
    {
      id: 'disaggregated',
      label: 'Prefill node, wide decode',
      description:
        'One tensor-parallel node computes the prompts; the other GPUs are one wide group that only decodes. KV caches travel.',
    },
    {
      id: 'two_batch',
      label: 'One wide group, two batches',
      description: 'Balanced, and one half of the batch travels while the other is computed.',
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
    const gpus = number(values, 'gpus');
    const node = Math.min(8, gpus);
    const wide = { ranks: gpus, tensorParallel: 1, exchange: 'hierarchical' } as const;
    const balanced = { ...wide, placement: 'balanced', redundant: number(values, 'redundant') } as const;
    const layout = (): ExpertLayout => {
      switch (variant) {
        case 'baseline':
          return { ranks: node, tensorParallel: node };
        case 'linear':
          return wide;
        case 'all_gather':
          return { ...balanced, exchange: 'all_gather' };
        case 'two_batch':
          return { ...balanced, overlap: 'two_batch' };
        default:
          return balanced;
      }
    };
    if (variant === 'disaggregated') {
      const decode = gpus - node;
      if (decode < node) {
        throw new InputError(
          `parameter gpus: ${gpus} leave ${decode} to decode beside a prefill node of ${node}, expected at least ${node}`,
        );
      }
      const cluster = expertPools(values, [
        { role: 'prefill', gpus: node, layout: { ranks: node, tensorParallel: node } },
        { role: 'decode', gpus: decode, layout: { ...balanced, ranks: decode } },
      ]);
      return { ...base, cluster, policy: ranksPolicy };
    }
    const cluster = expertCluster(values, layout());
    return { ...base, cluster, policy: ranksPolicy };
  },
});
