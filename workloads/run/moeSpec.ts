import { z } from 'zod';

const positive = z.number().positive();
const count = z.int().positive();

/** A way between GPUs: what one direction carries, and what a message costs. */
export const groupLinkSpec = z.strictObject({
  bandwidth_gb_per_s: positive,
  latency_us: z.number().min(0),
});
export type GroupLinkSpec = z.infer<typeof groupLinkSpec>;

/** Which experts tokens pick. Drawn once per run from `seed`, layer by layer; never by the instances' own traffic. */
export const gateSpec = z.discriminatedUnion('kind', [
  /** The r-th most popular expert of a layer has weight r^−skew; which one that is differs by layer. 0: all alike. */
  z.strictObject({ kind: z.literal('zipf'), skew: z.number().min(0).max(3) }),
  /** A recorded load per expert, the same in every layer. */
  z.strictObject({ kind: z.literal('histogram'), loads: z.array(z.number().min(0)).min(2) }),
]);
export type GateSpec = z.infer<typeof gateSpec>;

/**
 * A mixture of experts spread over a group of GPUs. All instances that name the same group are its data-parallel ranks:
 * each has its own requests and KV cache, and their passes run in lockstep, since every sparse layer exchanges tokens among
 * all of them. `ranks` = instances of the group × tensor_parallel of each.
 */
export const moeSpec = z.strictObject({
  group: z.string().min(1),
  /** GPUs of the group: experts are divided over them. */
  ranks: count,
  /** GPUs that reach each other over `island_link`; others over `network`. */
  island: count,
  gate: gateSpec,
  /**
   * free: any expert. nearest_replica: any expert, at the replica nearest to the token. limited: experts of at most
   * `islands_per_token` islands (DeepSeek-V3). home_island: experts of the token's own island, every eighth token's of the
   * next one (the published lab). The last two change what the model computes.
   */
  routing: z.enum(['free', 'nearest_replica', 'limited', 'home_island']),
  islands_per_token: count.optional(),
  /** linear: blocks of neighbours. round_robin: dealt out. balanced: by recorded load. island_replicas: hot ones on every island. */
  placement: z.enum(['linear', 'round_robin', 'balanced', 'island_replicas']),
  /** Expert replicas beyond one each, over the whole group. */
  redundant: z.int().min(0).default(0),
  /** Most (token, expert) pairs of an expert: factor × an even share; the rest is dropped. Absent: nothing is dropped. */
  capacity_factor: positive.optional(),
  /**
   * direct: a copy per distinct rank (DeepEP low latency). hierarchical: a copy per distinct island, forwarded inside
   * (DeepEP normal). all_gather: every token to every rank (vLLM's default).
   */
  exchange: z.enum(['direct', 'hierarchical', 'all_gather']),
  dispatch_bytes: positive.default(2),
  combine_bytes: positive.default(2),
  island_link: groupLinkSpec,
  network: groupLinkSpec,
  /** What runs while tokens travel: nothing, the shared expert, or the other half of the batch. */
  overlap: z.enum(['none', 'shared_expert', 'two_batch']),
  /** grouped: one kernel for all experts. loop: one after the other, each after a look at its mask from the host. */
  kernels: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('grouped') }),
    z.strictObject({ kind: z.literal('loop'), per_expert_us: z.number().min(0) }),
  ]),
  seed: z.int().min(0).max(0xffffffff),
});
export type MoeSpec = z.infer<typeof moeSpec>;

/**
 * Experts beside measured operators. All instances that name the same group are its data-parallel ranks and run in lockstep; the experts
 * are divided over `ranks` GPUs in order of their number. Tokens are gathered from all ranks and reduced back (vLLM's
 * allgather_reducescatter), which the tables leave out.
 */
export const operatorExpertsSpec = z.strictObject({
  group: z.string().min(1),
  /** GPUs that the experts are divided over: 1 without expert parallelism. */
  ranks: count,
  /** Instances of the group. */
  data_ranks: count,
  /** Zipf exponent of the experts' popularity; 0 is even. */
  gate_skew: z.number().min(0).max(3),
  /** What the gathering runs over; needed where data_ranks > 1. */
  link: groupLinkSpec.optional(),
});
export type OperatorExpertsSpec = z.infer<typeof operatorExpertsSpec>;
