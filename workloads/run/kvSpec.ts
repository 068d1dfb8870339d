import { z } from 'zod';

const positive = z.number().positive();
const count = z.int().positive();

/**
 * Which cached prefix blocks an instance's KV pool gives up first. `lru-prefix` is what it does without being told: a request
 * gives its blocks back tail first, so that a prefix loses its end before its beginning. The others look at blocks one by
 * one, and may drop the head of a prefix whose tail then lies there unreachable. `belady` knows the future: for study.
 */
export const evictionPolicy = z.enum(['lru-prefix', 'lru', 'fifo', 'lfu', 'length-aware', 'belady']);
export type EvictionPolicy = z.infer<typeof evictionPolicy>;

export const tierKind = z.enum(['peer', 'host', 'disk']);
export type TierKind = z.infer<typeof tierKind>;

/** A place for KV blocks below the instance's own HBM. Rates and shares are per link and direction. */
export const tierSpec = z.strictObject({
  kind: tierKind,
  /** Blocks per instance, of the cluster's block size. */
  blocks: count,
  /** The instances of a node find each other's blocks; else each has its own. `peer` is always shared. */
  shared: z.boolean(),
  /** Each instance has a link of its own to it (PCIe, NVLink), or those of a node share one (an NVMe array). */
  link: z.enum(['instance', 'node']),
  read_gb_per_s: positive,
  write_gb_per_s: positive,
  latency_us: z.number().min(0),
  /** Share of an instance's decode speed that a transfer up takes while it lasts: the HBM bandwidth that it writes with. */
  decode_share: z.number().min(0).max(0.95),
  /** peer only: the memory is lent by the instances of the node (over their own links), or by GPUs that serve nothing. */
  donors: z.enum(['instances', 'spare']).optional(),
});
export type TierSpec = z.infer<typeof tierSpec>;

/** Tiers below HBM, the nearest first. */
export const kvTiersSpec = z.strictObject({
  /** Instances per node, in the order of the cluster's list; the last node may have fewer. */
  node_instances: count,
  levels: z.array(tierSpec).min(1).max(3),
  /** When a block goes down to the nearest tier: when HBM evicts it, or when it was computed. */
  write: z.enum(['back', 'through']),
  /** What a full tier does with its oldest block: it goes down to the next tier, or is gone. */
  overflow: z.enum(['demote', 'drop']),
  /** How a request gets a prefix from a lower tier: fetch it, recompute it, or the one that is expected to be sooner. */
  load: z.enum(['fetch', 'recompute', 'cheaper']),
  /** Blocks on their way down wait in this much memory of the sender; what does not fit is dropped. */
  staging_gb: positive,
  /** Fetches are slowed so that a decode pass beside them is expected to stay within this; absent: never. */
  decode_latency_budget_ms: positive.optional(),
});
export type KvTiersSpec = z.infer<typeof kvTiersSpec>;
