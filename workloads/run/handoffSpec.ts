import { z } from 'zod';

const count = z.int().positive();

/** How the KV cache of a computed prompt gets from the prefill instance to the decode instance. */
export const kvTransferSpec = z.discriminatedUnion('kind', [
  /** One transfer per prompt, beside the engine (a copy engine or NIC moves it): what a spec without a hand-off does. */
  z.strictObject({ kind: z.literal('per_request') }),
  /** One transfer per prompt, and the sending engine computes nothing until it is over. */
  z.strictObject({ kind: z.literal('blocking') }),
  /** Prompts that go to one instance wait for each other: at most this long, or until there are so many. */
  z.strictObject({
    kind: z.literal('batched'),
    window_ms: z.number().positive(),
    requests: count,
  }),
  /** The KV cache of layer l moves while layer l + 1 is computed, chunk by chunk. */
  z.strictObject({ kind: z.literal('layerwise'), layers: count }),
]);
export type KvTransferSpec = z.infer<typeof kvTransferSpec>;

/**
 * Conditional disaggregation: the decode instance is chosen first; it computes the prompt itself unless more than
 * `max_local_tokens` of it are not in its cache and fewer than `max_prefill_queue` requests wait per prefill instance.
 * Source: NVIDIA Dynamo's disaggregated router, max_local_prefill_length and max_prefill_queue_size.
 */
export const conditionalSpec = z.strictObject({
  max_local_tokens: z.int().min(0),
  max_prefill_queue: count,
});
export type ConditionalSpec = z.infer<typeof conditionalSpec>;

/**
 * Pool re-balancing: an instance drains and changes its pool where one pool's pressure (time to first token or token
 * time predicted, over its objective) is above `high` and the other's below `low`, in `checks` checks in a row. It stays
 * where the remaining instances would exceed `high` without it.
 */
export const rebalanceSpec = z.strictObject({
  interval_s: z.number().positive(),
  high: z.number().positive(),
  low: z.number().positive(),
  checks: count,
  cooldown_s: z.number().min(0),
});
export type RebalanceSpec = z.infer<typeof rebalanceSpec>;

export const handoffSpec = z.strictObject({
  transfer: kvTransferSpec,
  conditional: conditionalSpec.optional(),
  rebalance: rebalanceSpec.optional(),
});
export type HandoffSpec = z.infer<typeof handoffSpec>;
