import type { Parameter } from '../run/parameter.ts';
import { expertCluster, expertFixed, ranksPolicy } from './expertBase.ts';
import { expertParameters } from './expertParameters.ts';
import { number, servingTarget } from './servingBase.ts';

const perExpert: Parameter = {
  kind: 'number',
  id: 'per_expert_us',
  label: 'Host time per expert',
  group: 'model',
  unit: 'µs',
  min: 0,
  max: 10_000,
  default: 195,
  variants: ['baseline'],
  help: 'Mask, look from the host, gather, two products and a scatter of one expert in one layer: 195 µs follows from the lab’s recorded 2,237 and 614 ms over 8,320 of them.',
};

const defaults: Readonly<Record<string, number | string>> = {
  moe_model: 'mixtral-8x7b',
  gpus: 4,
  redundant: 0,
};

export const moeInference = servingTarget({
  id: 'ch15:moe_inference',
  chapter: 'ch15',
  title: 'Grouped experts',
  summary:
    'One kernel for all experts of a layer instead of a loop over experts that waits for the host each time.',
  lesson: `**Look at** TPOT, then at the share of expert time.

**What was claimed.** Sorted dispatch instead of the reference loop: 3.65 times as fast. The gain is real and so is its cause: k × E host round trips per layer, 8,320 in a run, at 195 µs each. It says nothing of serving: batch 1, a cache that is written and never read, TTFT and TPOT from one mean copied 64 times.

**What holds**, Mixtral 8x7B on four H200, each a replica, three replicates, seed 0: with 195 µs per expert and layer TPOT p50 is 78.7 ms, with one grouped kernel 25.7 ms. The loop's time does not shrink with the batch: 32 layers × 8 experts × 195 µs = 50 ms in every pass, whether one token is in it or a thousand.

**Beyond the lab.** Grouped, experts are still nine tenths of the pass, because every replica reads all of them for a few tokens. Divided over the four GPUs, with attention data-parallel, TPOT p50 falls to 8.45 ms for 5 % of the pass in all-to-all: each GPU reads two experts instead of eight and a quarter of the fleet's tokens shares them.

**What to try.** \`per_expert_us=20\`, a loop in C++: 31.3 against 25.7 ms; \`moe_model=qwen3-30b-a3b\` with 128 experts in each of 48 layers: 1.2 s against 3.1 ms, and dividing them no longer pays (3.8 ms), for its experts are small and the exchange is not; \`skew=1.5\` and watch the straggling of the divided variant.`,
  variants: [
    {
      id: 'baseline',
      label: 'Loop over experts',
      description: 'For each expert: is there a token? The host waits for the answer, then launches.',
    },
    {
      id: 'optimized',
      label: 'Grouped GEMM',
      description: 'Tokens sorted by expert on the GPU, one grouped product for all of them.',
    },
    {
      id: 'expert_parallel',
      label: 'Grouped, experts divided',
      description: 'The same over all GPUs: each holds a part of the experts, attention is data-parallel.',
    },
  ],
  fixed: expertFixed,
  defaults: {
    traffic: 'open',
    rate_rps: 8,
    duration_s: 120,
    prompt_median: 500,
    output_median: 200,
    prefix_share: 0,
    slo_tpot_ms: 60,
  },
  parameters: [
    ...expertParameters.map((p): Parameter => {
      const value = defaults[p.id];
      if (p.kind === 'choice') return typeof value === 'string' ? { ...p, default: value } : p;
      if ((p.kind === 'integer' || p.kind === 'number') && typeof value === 'number')
        return { ...p, default: value };
      return p;
    }),
    perExpert,
  ],
  parts(variant, values, base) {
    const ranks = variant === 'expert_parallel' ? number(values, 'gpus') : 1;
    const cluster = expertCluster(values, {
      ranks,
      tensorParallel: 1,
      kernels:
        variant === 'baseline'
          ? { kind: 'loop', per_expert_us: number(values, 'per_expert_us') }
          : { kind: 'grouped' },
    });
    return { ...base, cluster, policy: ranksPolicy };
  },
});
