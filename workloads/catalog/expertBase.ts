import { findGpu } from '../hardware/gpus.ts';
import { findModel } from '../model/models.ts';
import { kvBlocksBesideExperts } from '../moe/memory.ts';
import { InputError } from '../run/inputError.ts';
import type { InstanceSpec } from '../run/instanceSpec.ts';
import type { GateSpec, MoeSpec } from '../run/moeSpec.ts';
import type { ParameterValues } from '../run/parameter.ts';
import type { PoolRole } from '../run/poolRole.ts';
import { type ClusterSpec, clusterSpec } from '../run/spec.ts';
import { number, schedulerAndLink, text } from './servingBase.ts';

/** Shared parameters that these targets replace by their own: the cluster is `gpus` GPUs, divided as the variant says. */
export const expertFixed = {
  model: 'mixtral-8x7b',
  instances: 1,
  tensor_parallel: 1,
  kv_memory: 'given',
  kv_blocks: 1,
} as const;

/** How a variant divides the GPUs and the experts. */
export interface ExpertLayout {
  /** GPUs that the experts of one copy of the model are divided over; `gpus` must be a multiple. */
  readonly ranks: number;
  /** GPUs that share the attention of one batch. */
  readonly tensorParallel: number;
  readonly placement?: MoeSpec['placement'];
  readonly routing?: MoeSpec['routing'];
  readonly islandsPerToken?: number;
  readonly redundant?: number;
  readonly exchange?: MoeSpec['exchange'];
  readonly overlap?: MoeSpec['overlap'];
  readonly kernels?: MoeSpec['kernels'];
}

/** The recorded loads, or popularities by the skew. */
function gateOf(values: ParameterValues, experts: number): GateSpec {
  if (text(values, 'gate') !== 'recorded') return { kind: 'zipf', skew: number(values, 'skew') };
  const loads = text(values, 'expert_loads')
    .split(',')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (loads.length !== experts || loads.some((load) => !(load >= 0)) || !loads.some((load) => load > 0)) {
    throw new InputError(
      `parameter expert_loads: ${loads.length} values, expected ${experts} numbers from 0, one per expert, not all 0`,
    );
  }
  return { kind: 'histogram', loads };
}

/** GPUs of one pool and how they are divided. */
export interface ExpertPool {
  readonly role: PoolRole;
  readonly gpus: number;
  readonly layout: ExpertLayout;
}

/** One instance per data-parallel rank of a pool, in `gpus ÷ ranks` expert groups. Throws InputError where the layout does not fit. */
function expertInstances(values: ParameterValues, { role, gpus, layout }: ExpertPool): InstanceSpec[] {
  const model = findModel(text(values, 'moe_model'));
  const gpu = findGpu(text(values, 'gpu'));
  if (model === undefined || gpu === undefined) {
    throw new InputError('parameter moe_model or gpu: not in the lists');
  }
  const { ranks, tensorParallel } = layout;
  const island = Math.min(number(values, 'island'), ranks);
  if (ranks < 1 || gpus % ranks !== 0) {
    throw new InputError(
      `parameter gpus: ${number(values, 'gpus')}, expected ${gpus} of them to be a multiple of ${ranks}, the GPUs of one copy of the experts`,
    );
  }
  if (ranks % tensorParallel !== 0 || ranks % island !== 0) {
    throw new InputError(
      `parameter island: ${island}, expected one that divides the ${ranks} GPUs of a copy of the experts`,
    );
  }
  const redundant = layout.redundant ?? 0;
  const blockTokens = number(values, 'block_tokens');
  const blocks = kvBlocksBesideExperts(model, gpu.memoryBytes, tensorParallel, ranks, redundant, blockTokens);
  if (blocks < 1) {
    throw new InputError(
      `parameter gpus: ${model.label} over ${ranks} × ${gpu.label} leaves no room for KV; raise gpus or choose a smaller model`,
    );
  }
  const capacity = number(values, 'capacity_factor');
  const each = ranks / tensorParallel;
  const prefix = role === 'mixed' ? '' : `${role}-`;
  const moe = (group: number): MoeSpec => ({
    group: `${prefix}experts-${group}`,
    ranks,
    island,
    gate: gateOf(values, model.experts?.count ?? 0),
    routing: layout.routing ?? 'free',
    ...(layout.islandsPerToken === undefined ? {} : { islands_per_token: layout.islandsPerToken }),
    placement: layout.placement ?? 'linear',
    redundant,
    ...(capacity > 0 ? { capacity_factor: capacity } : {}),
    exchange: layout.exchange ?? 'direct',
    // DeepEP: FP8 out, with one 4-byte scale per 128 values where the model computes in FP8; BF16 back.
    dispatch_bytes: model.bytesPerWeight === 1 ? 1 + 4 / 128 : 2,
    combine_bytes: 2,
    island_link: { bandwidth_gb_per_s: number(values, 'island_gb_per_s'), latency_us: 5 },
    network: {
      bandwidth_gb_per_s: number(values, 'network_gb_per_s'),
      latency_us: number(values, 'network_latency_us'),
    },
    overlap: layout.overlap ?? 'none',
    kernels: layout.kernels ?? { kind: 'grouped' },
    // Experts' popularity belongs to the model, not to the traffic: it is the same in every replicate.
    seed: 7,
  });
  return Array.from({ length: (gpus / ranks) * each }, (_, i) => ({
    name: `${prefix}${gpu.id}-${Math.floor(i / each)}.${i % each}`,
    pool: role,
    serves: 'modelled' as const,
    cost: {
      kind: 'roofline',
      gpu: gpu.id,
      tensor_parallel: tensorParallel,
      compute_efficiency: number(values, 'compute_efficiency'),
      memory_efficiency: number(values, 'memory_efficiency'),
      iteration_overhead_us: number(values, 'iteration_overhead_us'),
      moe: moe(Math.floor(i / each)),
    },
    kv_blocks: blocks,
  }));
}

/** The pools' instances as one cluster. Throws InputError where a layout does not fit. */
export function expertPools(values: ParameterValues, pools: readonly ExpertPool[]): ClusterSpec {
  const { scheduler, link } = schedulerAndLink(values);
  const widest = Math.max(...pools.map(({ layout }) => layout.tensorParallel));
  return clusterSpec.parse({
    model: text(values, 'moe_model'),
    instances: pools.flatMap((pool) => expertInstances(values, pool)),
    kv: { block_tokens: number(values, 'block_tokens'), prefix_reuse: values['prefix_reuse'] === true },
    link,
    // Tokens and sequences of a pass are given per GPU: a rank of eight GPUs takes eight times as many.
    scheduler: {
      max_batched_tokens: scheduler.max_batched_tokens * widest,
      max_sequences: scheduler.max_sequences * widest,
    },
  });
}

/** All GPUs divided alike, every instance for prompts and decoding. */
export const expertCluster = (values: ParameterValues, layout: ExpertLayout): ClusterSpec =>
  expertPools(values, [{ role: 'mixed', gpus: number(values, 'gpus'), layout }]);

/** Data-parallel ranks behind vLLM's own balancer: fewest waiting, then running. */
export const ranksPolicy = { router: 'vllm_dp', router_parameters: {} } as const;
