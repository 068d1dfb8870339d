import type { ParameterValues } from '../run/parameter.ts';

/** A pair of the published chapters and labs under its own name: the target that holds its lesson, and what of it is that pair. */
export interface PublishedName {
  readonly id: string;
  readonly target: string;
  /** The variants that the pair compares, the baseline first; absent: baseline and optimized. */
  readonly variants?: readonly [string, string];
  /** Values that make the pair's emphasis; those that a person gives come after them. */
  readonly parameters?: ParameterValues;
}

const disaggregation = 'ch17:prefill_decode_disagg';
const experts = 'ch17:moe_router_uniform';
const cache = 'ch15:kv_cache_management';

/** Names that find a target and are none of their own. A target's id is never among them. */
export const publishedNames: readonly PublishedName[] = [
  { id: 'ch15:continuous_batching', target: 'serving:scheduling' },
  { id: 'ch15:disaggregated_inference', target: disaggregation },
  { id: 'ch15:disaggregated_inference_multigpu', target: disaggregation },
  { id: 'ch15:prefill_decode_disagg', target: disaggregation },
  { id: 'ch15:prefill_decode_disagg_multigpu', target: disaggregation },
  { id: 'ch17:prefill_decode_disagg_multigpu', target: disaggregation },
  {
    id: 'ch17:prefill_decode_disagg_overlap',
    target: disaggregation,
    variants: ['blocking_handoff', 'layerwise'],
  },
  {
    id: 'ch17:prefill_decode_disagg_batched',
    target: disaggregation,
    variants: ['optimized', 'batched_handoff'],
  },
  { id: 'ch17:prefill_decode_disagg_ttft', target: disaggregation, variants: ['baseline', 'conditional'] },
  {
    id: 'ch17:prefill_decode_disagg_tpot_long',
    target: disaggregation,
    parameters: { output_median: 800, rate_rps: 6 },
  },
  { id: 'ch15:kv_cache_management_math', target: cache },
  { id: 'ch15:kv_cache_local_only', target: 'ch15:kv_cache_nvlink_pool', variants: ['hbm_only', 'baseline'] },
  { id: 'ch15:moe_overlap_shared_expert', target: 'ch15:moe_overlap' },
  { id: 'ch15:moe_routing_simple', target: experts },
  { id: 'ch15:moe_routing_simple_topology_aware', target: experts },
  { id: 'ch17:moe_router_uniform_topology', target: experts },
  { id: 'labs/dynamic_router:dynamic_router_vllm', target: 'labs/dynamic_router:dynamic_router' },
  { id: 'labs/dynamic_router:dual_pool_vllm', target: 'labs/dynamic_router:dual_pool' },
];

export const findPublished = (id: string): PublishedName | undefined =>
  publishedNames.find((name) => name.id === id);

/** Other names of a target. */
export const namesOf = (target: string): readonly string[] =>
  publishedNames.filter((name) => name.target === target).map(({ id }) => id);
