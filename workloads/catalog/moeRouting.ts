import { expertCluster, expertFixed, ranksPolicy } from './expertBase.ts';
import { expertParameters } from './expertParameters.ts';
import { number, servingTarget } from './servingBase.ts';

export const moeRouting = servingTarget({
  id: 'ch17:moe_router_uniform',
  chapter: 'ch17',
  title: 'Expert routing and islands',
  summary:
    'Tokens that leave their NVLink island cost network time. Keep them there by placement, by a limit on islands, or by force, and see what it does to balance.',
  lesson: `**Look at** TPOT beside three figures that the lab never showed: off-island pairs, expert rank imbalance, exposed all-to-all.

**What was claimed.** The lab's topology-aware routing sends 12.5 % of the tokens off their island instead of 75 % and is 4.7 times as fast (ch17), or 7 to 9 times (ch15). The first is true and reproduced here to the digit. What was not measured: its routing reaches 14 of 64 experts, two of them with 2,048 tokens of 16,384. With one MLP behind all expert numbers nothing could show it, and no link is in the program: a buffer is copied on the same GPU. The ch15 pair saves 56 of 64 launches; no topology is consulted.

**What holds**, DeepSeek-V3 decoding on 32 GPUs in four islands, experts as uneven as recorded (skew 0.6), three replicates, seed 0:

| | TPOT p50, p95 | off-island | busiest rank ÷ mean | exposed all-to-all |
|---|---|---|---|---|
| uniform | 25.6, 31.2 ms | 75.1 % | 2.27 | 31.9 % |
| replicas on every island | 23.7, 26.9 ms | 60.0 % | 1.15 | 30.6 % |
| two islands per token | 19.5, 21.6 ms | 74.6 % | 2.45 | 27.2 % |
| own island by force | 16.5, 17.7 ms | 12.5 % | 1.70 | 21.0 % |

Only the first two compute the same answers. Replicas buy balance more than locality. The limit sends as many pairs away as before but each token crosses the network once per island, and there are fewer islands: that is what DeepSeek-V3 was trained for. Forcing tokens home is fastest and is another model: seven of eight tokens may not see three quarters of the experts.

**What to try.** \`skew=1 redundant=96\`: uniform falls to 33.0 ms at an imbalance of 4.1, replicas hold 22.1 ms at 1.17. \`capacity_factor=1.25\`: the busiest experts drop 23 % of the pairs, TPOT p50 improves to 22.6 ms and the answers change. \`network_gb_per_s=360\`: in a rack of NVLink uniform takes 18.4 ms and its own island 16.1: locality buys little.`,
  variants: [
    {
      id: 'baseline',
      label: 'Uniform',
      description: 'Any expert, wherever it lives; experts in order of their number.',
    },
    {
      id: 'optimized',
      label: 'Replicas on every island',
      description:
        'Hot experts live on every island and a token takes the nearest replica: the same experts, so the same answers.',
    },
    {
      id: 'limited',
      label: 'Two islands per token',
      description:
        'The gate may pick from two islands only, as DeepSeek-V3 was trained to. Other models would answer otherwise.',
    },
    {
      id: 'home_island',
      label: 'Own island by force',
      description:
        'As published: experts of the token’s own island, every eighth token’s of the next. Another model, in effect.',
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
    const all = { ranks: number(values, 'gpus'), tensorParallel: 1, exchange: 'hierarchical' } as const;
    const cluster = expertCluster(
      values,
      variant === 'optimized'
        ? {
            ...all,
            placement: 'island_replicas',
            routing: 'nearest_replica',
            redundant: number(values, 'redundant'),
          }
        : variant === 'limited'
          ? { ...all, routing: 'limited', islandsPerToken: 2 }
          : variant === 'home_island'
            ? { ...all, routing: 'home_island' }
            : all,
    );
    return { ...base, cluster, policy: ranksPolicy };
  },
});
