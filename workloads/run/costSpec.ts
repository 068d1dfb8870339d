import { z } from 'zod';
import { groupLinkSpec, moeSpec, operatorExpertsSpec } from './moeSpec.ts';
import { pipelineSpec } from './pipelineSpec.ts';

/** What a cost model needs: how long a pass takes, by shape and card, by measured operators, or by fitted coefficients. */

const positive = z.number().positive();
const count = z.int().positive();
const coefficient = z.number().min(0);

/** t = base + prefill × prompt tokens + pair × (query, key) pairs + decode × sequences + context × their context tokens. */
export const linearCost = z.strictObject({
  kind: z.literal('linear'),
  base_us: coefficient,
  prefill_us_per_token: coefficient,
  /** Causal attention of prompts grows with pairs; 0 leaves it to the tokens. */
  prefill_us_per_pair: coefficient.default(0),
  decode_us_per_sequence: coefficient,
  decode_us_per_context_token: coefficient,
});
export type LinearCostSpec = z.infer<typeof linearCost>;

/** Service times of a queueing study, ms. */
export const serviceSpec = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('deterministic'), mean_ms: positive }),
  z.strictObject({ kind: z.literal('exponential'), mean_ms: positive }),
  /** Exponential with one of two means: `short_share` of the requests are short. */
  z.strictObject({
    kind: z.literal('hyperexponential'),
    short_share: z.number().gt(0).lt(1),
    short_ms: positive,
    long_ms: positive,
  }),
  z.strictObject({ kind: z.literal('lognormal'), mean_ms: positive, cv: positive }),
  z.strictObject({ kind: z.literal('gamma'), mean_ms: positive, cv: positive }),
]);
export type ServiceSpec = z.infer<typeof serviceSpec>;

/** Each request is served alone for a time of its own, whatever its tokens: G/G/1 per instance. */
export const stochasticCost = z.strictObject({ kind: z.literal('stochastic'), service: serviceSpec });
export type StochasticCostSpec = z.infer<typeof stochasticCost>;

export const costSpec = z.discriminatedUnion('kind', [
  /** Roofline of the model's shape on a GPU data sheet. */
  z.strictObject({
    kind: z.literal('roofline'),
    gpu: z.string(),
    tensor_parallel: count.default(1),
    compute_efficiency: z.number().gt(0).max(1),
    memory_efficiency: z.number().gt(0).max(1),
    iteration_overhead_us: z.number().min(0),
    /** Share of the peak that experts' grouped matrices reach: padded to tiles, gathered, dequantised. Absent: as all others. */
    expert_efficiency: z.number().gt(0).max(1).optional(),
    /** Adds what norms, gates and rotary embeddings read and write between the matrices. Absent: left out, as it was first modelled. */
    activation_traffic: z.boolean().optional(),
    /** Of each kernel beside its arithmetic and traffic: launch inside a CUDA graph, first loads, last wave. Absent: 0. */
    kernel_us: z.number().min(0).optional(),
    /** Rows that a grouped GEMM pads each expert's tokens to, half of a tile wasted on average. Absent: no padding. */
    expert_tile: z.int().min(1).optional(),
    /** All-reduces of the tensor-parallel group by the fastest of these. Absent: ring with one latency, as it was first modelled. */
    all_reduce: z
      .strictObject({
        among: z.array(z.enum(['ring', 'tree', 'one_shot', 'two_shot'])).min(1),
        link: groupLinkSpec,
        /** What a direct all-reduce (one_shot, two_shot) costs beside its steps: launch, and barriers before and after. */
        start_us: z.number().min(0).optional(),
      })
      .optional(),
    /** Experts divided over a group of GPUs; absent: they are divided like every other weight. */
    moe: moeSpec.optional(),
    pipeline: pipelineSpec.optional(),
  }),
  /** Fixed rates, as in the published lab: prompt tokens per second, and output tokens per second of the whole batch. */
  z.strictObject({
    kind: z.literal('rates'),
    prefill_tokens_per_s: positive,
    decode_tokens_per_s: positive,
    iteration_overhead_us: z.number().min(0),
  }),
  /** Measured operator times of this model on this card: a folder with op-attention.csv, op-dense.csv, op-per_sequence.csv. */
  z.strictObject({
    kind: z.literal('operators'),
    path: z.string().min(1),
    /** Of the three files one after the other, in the order above; filled in when the run is started, where it is absent. */
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional(),
    /** GPUs that the tables' shapes were divided over. */
    tensor_parallel: count.default(1),
    /** The link of the group; needed for tensor_parallel > 1, which the tables leave out. */
    all_reduce: z.strictObject({ latency_us: z.number().min(0), bandwidth_gb_per_s: positive }).optional(),
    /** GPU idle from one pass to the next, and launches. */
    iteration_overhead_us: z.number().min(0),
    /**
     * What uneven contexts cost decode attention: time = even + this × (all as long as the longest − even). Measured
     * with the tables (skew_fit alpha_default); 0 where it was not.
     */
    skew: z.number().min(0).max(1).default(0),
    /** Largest batch, in tokens, that runs as a captured CUDA graph; 0: none does. */
    graph_tokens: z.int().min(0).default(512),
    /** How a mixture of experts is divided; absent: all experts on the card, an even gate. Needs op-moe.csv in the folder. */
    experts: operatorExpertsSpec.optional(),
  }),
  linearCost,
  stochasticCost,
]);
export type CostSpec = z.infer<typeof costSpec>;
