import { expertCluster, expertFixed, ranksPolicy } from './expertBase.ts';
import { expertParameters } from './expertParameters.ts';
import { number, servingTarget } from './servingBase.ts';

export const moeRouting = servingTarget({
  id: 'ch17:moe_router_uniform',
  aliases: [
    'ch17:moe_router_uniform_topology',
    'ch15:moe_routing_simple',
    'ch15:moe_routing_simple_topology_aware',
  ],
  chapter: 'ch17',
  title: 'Expert routing and islands',
  summary:
    'Tokens that leave their NVLink island cost network time. Keep them there by placement, by a limit on islands, or by force, and see what it does to balance.',
  lesson: 'LESSON',
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
