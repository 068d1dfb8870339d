import { z } from 'zod';

/** What a model does beyond one token per sequence and pass, and how its KV cache is stored. All of it is optional in a run spec. */

const share = z.number().min(0).max(1);
const microseconds = z.number().min(0);

/** The source of draft tokens. `overhead_us` is host and launch time per draft step (per round where no model runs). */
export const draftSpec = z.discriminatedUnion('kind', [
  /** A smaller model of the same vocabulary. */
  z.strictObject({ kind: z.literal('model'), model: z.string().min(1), overhead_us: microseconds }),
  /** Layers of the target's own shape over its own lm_head (EAGLE, Medusa-like heads, self-speculation). */
  z.strictObject({ kind: z.literal('head'), layers: z.int().positive(), overhead_us: microseconds }),
  /** n-grams of the text so far: no weights, no KV cache. */
  z.strictObject({ kind: z.literal('lookup'), overhead_us: microseconds }),
]);
export type DraftSpec = z.infer<typeof draftSpec>;

export const speculationSpec = z.strictObject({
  kind: z.literal('speculation'),
  draft: draftSpec,
  /** Tokens drafted per round: always so many, or at most so many where `adaptive`. */
  length: z.int().min(1).max(32),
  /** Each round drafts as many tokens as promise the most tokens per second, none included. */
  adaptive: z.boolean().default(false),
  acceptance: z.strictObject({
    /** Probability that a drafted token is the target's own, mean over requests. */
    mean: share,
    /** Standard deviation of it between requests (beta-distributed); 0: all requests alike. */
    spread: z.number().min(0).max(0.5).default(0),
    /** The i-th drafted token of a round is accepted with mean × decay^(i − 1). */
    position_decay: z.number().gt(0).max(1).default(1),
  }),
});
export type SpeculationSpec = z.infer<typeof speculationSpec>;

export const earlyExitSpec = z.strictObject({
  kind: z.literal('early_exit'),
  /** Exits lie after these shares of the layers, ascending; the last layer is always one. */
  exits: z.array(z.number().gt(0).lt(1)).min(1).max(16),
  /** A token leaves at the first exit whose confidence reaches this. */
  threshold: z.number().gt(0).lt(1),
  /** Depth, as a share of the layers, from which on a token's prediction is the full model's: logit-normal over tokens. */
  saturation: z.strictObject({ median: z.number().gt(0).lt(1), spread: z.number().min(0) }),
  confidence: z.strictObject({
    /** `softmax` runs lm_head at each exit; `classifier` asks a small head, whose cost is left out. */
    check: z.enum(['softmax', 'classifier']),
    /** Share of the depth over which confidence goes from 0.27 to 0.73 around saturation. */
    softness: z.number().gt(0).max(1),
    /** Standard deviation of a token's confidence, in logits: over- and underconfidence. */
    noise: z.number().min(0),
  }),
  /**
   * deepest: all rows run to the deepest token's layer. drop: rows that exit leave the deeper layers.
   * rebatched: deeper layers run only in full batches, and waiting for them costs nothing: a bound.
   */
  batching: z.enum(['deepest', 'drop', 'rebatched']),
  /** Keys and values of the skipped layers are computed from the exit's state, so that later tokens can attend to them. */
  fills_kv: z.boolean().default(true),
});
export type EarlyExitSpec = z.infer<typeof earlyExitSpec>;

export const guidedSpec = z.strictObject({
  kind: z.literal('guided'),
  /** Share of requests whose output follows a grammar. */
  share,
  /** CPU time of one sequence's mask for one token: log-normal, drawn anew for each token, as the grammar's state is. */
  mask: z.strictObject({ median_us: microseconds, sigma: z.number().min(0).max(3) }),
  /** CPU threads that make masks of different sequences at once. */
  threads: z.int().positive(),
  /** The masks of a pass are made while the pass runs, not after it. */
  overlapped: z.boolean(),
  /** Bits per vocabulary entry of the mask that goes to the GPU: 1 packed, 8 a byte each, 32 a float. */
  mask_bits: z.int().min(1).max(32),
  /** Launching the copy and the kernel that applies it. */
  apply_us: microseconds,
});
export type GuidedSpec = z.infer<typeof guidedSpec>;

export const techniqueSpec = z.discriminatedUnion('kind', [speculationSpec, earlyExitSpec, guidedSpec]);
export type TechniqueSpec = z.infer<typeof techniqueSpec>;

export const kvQuantisationSpec = z.strictObject({
  /** Of one stored key or value. */
  bits: z.int().min(2).max(16),
  /** Values that share a scale; 0: one for all, which costs nothing. */
  group: z.int().min(0),
  /** Bytes of a scale, and of the zero point where there is one. */
  scale_bytes: z.number().min(0),
  /** Instructions on the CUDA cores that bring one value back to BF16; 0 where the tensor cores take it as it is. */
  dequantise_ops: z.number().min(0),
});
export type KvQuantisationSpec = z.infer<typeof kvQuantisationSpec>;

/** Bytes that one key or value takes, its share of the scales included. */
export const kvValueBytes = ({ bits, group, scale_bytes }: KvQuantisationSpec): number =>
  bits / 8 + (group === 0 ? 0 : scale_bytes / group);
