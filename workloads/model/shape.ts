import type { Bytes, Flop, Tokens } from '../units.ts';
import type { MemoryBeside } from './draft.ts';

/** The shape of a decoder-only transformer: all that FLOPs, bytes and KV size follow from. */
export interface ModelShape {
  readonly id: string;
  readonly label: string;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of a dense layer's gated MLP (three matrices). */
  readonly intermediate: number;
  readonly vocabulary: number;
  readonly tiedEmbeddings: boolean;
  readonly experts?:
    | {
        readonly count: number;
        readonly perToken: number;
        readonly intermediate: number;
        readonly sharedIntermediate: number;
        /** Layers that keep the dense MLP: the first ones (DeepSeek) or every other one (Llama 4 Maverick). */
        readonly denseLayers: number;
      }
    | undefined;
  /**
   * Latent attention (DeepSeek): one compressed vector per token and layer instead of keys and values per head. `queryRank` 0: the
   * queries are projected at once. `valueDim` is a head's width of values where it differs from `headDim` (that of keys).
   */
  readonly latent?:
    | {
        readonly kvRank: number;
        readonly ropeDim: number;
        readonly queryRank: number;
        readonly valueDim?: number | undefined;
      }
    | undefined;
  /** Layers that attend to the last `tokens` tokens only (`windowed.ts`). */
  readonly windows?: { readonly layers: number; readonly tokens: Tokens } | undefined;
  /** Layers without a KV cache: a state of fixed size per sequence instead (gated delta rule, Qwen3-Next). */
  readonly linear?: LinearLayers | undefined;
  /** The query projection makes a gate of each head's output, too. */
  readonly gatedAttention?: boolean | undefined;
  readonly bytesPerWeight: number;
  readonly bytesPerKvValue: number;
  /** How the weights are held; absent: FP8 where a weight is one byte, else 16 bits. `products.ts` says what a card multiplies in. */
  readonly weightFormat?: WeightFormat | undefined;
  /** Norms, biases and the like: in the parameter count, too small for any time. */
  readonly smallParameters?: number | undefined;
  /** Longest context that the authors state. */
  readonly maxContext?: Tokens | undefined;
  /** The config.json that the shape was read from; absent for built-in models, whose configurations `configs.ts` holds. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** One line: what of this model the figures leave out or take otherwise. */
  readonly unmodelled?: string | undefined;
  readonly source: string;
}

export type WeightFormat = 'bf16' | 'fp8' | 'int8' | 'mxfp4' | 'fp4' | 'w8a16' | 'w4a16';

export interface LinearLayers {
  readonly layers: number;
  /** Weights of one layer's projections and convolution. */
  readonly weights: number;
  /** Values of one layer's state, held in FP32. */
  readonly stateValues: number;
}

/** Weights of attention in one layer: query, key, value and output projections. */
export function attentionWeights(m: ModelShape): number {
  if (m.latent !== undefined) {
    const { kvRank, ropeDim, queryRank, valueDim = m.headDim } = m.latent;
    const queries = m.heads * (m.headDim + ropeDim);
    return (
      (queryRank === 0 ? m.hidden * queries : m.hidden * queryRank + queryRank * queries) +
      m.hidden * (kvRank + ropeDim) +
      kvRank * m.heads * (m.headDim + valueDim) +
      m.heads * valueDim * m.hidden
    );
  }
  const queries = m.gatedAttention === true ? 3 : 2;
  return queries * m.hidden * m.heads * m.headDim + 2 * m.hidden * m.kvHeads * m.headDim;
}

/** Layers that keep keys and values: all but linear ones. */
export const kvLayers = (m: ModelShape): number => m.layers - (m.linear?.layers ?? 0);

const mlpWeights = (m: ModelShape, width: number): number => 3 * m.hidden * width;

/** Weights of all layers that every pass reads, however few tokens it has: all but the routed experts. */
export function alwaysReadWeights(m: ModelShape): number {
  const attention =
    kvLayers(m) * attentionWeights(m) + (m.linear === undefined ? 0 : m.linear.layers * m.linear.weights);
  if (m.experts === undefined) return attention + m.layers * mlpWeights(m, m.intermediate);
  const { count, sharedIntermediate, denseLayers } = m.experts;
  const sparse = m.layers - denseLayers;
  return (
    attention +
    denseLayers * mlpWeights(m, m.intermediate) +
    sparse * (mlpWeights(m, sharedIntermediate) + m.hidden * count)
  );
}

/** Weights of all routed experts of all layers. */
export function expertWeights(m: ModelShape): number {
  if (m.experts === undefined) return 0;
  const { count, intermediate, denseLayers } = m.experts;
  return (m.layers - denseLayers) * count * mlpWeights(m, intermediate);
}

export const headWeights = (m: ModelShape): number => m.hidden * m.vocabulary;

/** Matrices that memory must hold. */
export const parameters = (m: ModelShape): number =>
  alwaysReadWeights(m) + expertWeights(m) + headWeights(m) * (m.tiedEmbeddings ? 1 : 2);

/** All parameters, norms and biases included, as model cards count them. */
export const parameterCount = (m: ModelShape): number => parameters(m) + (m.smallParameters ?? 0);

/** Parameters that work on one token (embedding look-up left out). */
export const activeParameters = (m: ModelShape): number =>
  alwaysReadWeights(m) +
  (m.experts === undefined ? 0 : (expertWeights(m) * m.experts.perToken) / m.experts.count) +
  headWeights(m);

export const weightBytes = (m: ModelShape): Bytes => parameters(m) * m.bytesPerWeight;

/** FLOPs of all layers' matrices for one token: two per weight that works on it; without lm_head. */
export const layerFlopsPerToken = (m: ModelShape): Flop => 2 * (activeParameters(m) - headWeights(m));

/**
 * FLOPs of attention for one (query, key) pair over all layers that have it: QKᵀ and the weighted sum of values. Layers with a
 * window lack most pairs of a long context: `windowed.ts` counts theirs.
 */
export const attentionFlopsPerPair = (m: ModelShape): Flop =>
  m.latent === undefined
    ? 4 * kvLayers(m) * m.heads * m.headDim
    : 2 * kvLayers(m) * m.heads * (2 * m.latent.kvRank + m.latent.ropeDim);

/** Values that the KV cache holds per token: keys and values of every layer that keeps them, or latent vectors. */
export const kvValuesPerToken = (m: ModelShape): number =>
  m.latent === undefined
    ? 2 * kvLayers(m) * m.kvHeads * m.headDim
    : kvLayers(m) * (m.latent.kvRank + m.latent.ropeDim);

/**
 * Values that kernels between the matrices read and write per token, all layers together; what a matrix product reads and writes
 * itself overlaps with its arithmetic and is left out. Before attention and before the MLP: sum and residual read, residual and norm
 * written, on every rank of a group (`wholeValues`); an expert's tokens gathered and scattered, too. Divided over the ranks: rotary
 * embedding of queries and keys, and the gate (two widths read, one written).
 */
export function elementwiseValues(m: ModelShape): {
  readonly wholeValues: number;
  readonly dividedValues: number;
} {
  const rotary = 2 * (m.heads + m.kvHeads) * m.headDim;
  const { experts } = m;
  const dense = experts === undefined ? m.layers : experts.denseLayers;
  const sparse = m.layers - dense;
  const gated =
    experts === undefined ? 0 : experts.perToken * experts.intermediate + experts.sharedIntermediate;
  return {
    wholeValues: m.layers * 8 * m.hidden + sparse * 4 * (experts?.perToken ?? 0) * m.hidden,
    dividedValues: m.layers * rotary + 3 * (dense * m.intermediate + sparse * gated),
  };
}

/** Weights that make one layer's keys and values (or latent vector) of a token. */
export const keyValueWeights = (m: ModelShape): number =>
  m.hidden * (m.latent === undefined ? 2 * m.kvHeads * m.headDim : m.latent.kvRank + m.latent.ropeDim);

/**
 * KV cache of one token: keys and values of every layer.
 * Llama-3.1-8B: 2 × 32 layers × 8 heads × 128 × 2 B = 131,072 B.
 */
export const kvBytesPerToken = (m: ModelShape): Bytes => kvValuesPerToken(m) * m.bytesPerKvValue;

/**
 * KV blocks of one instance: a share of its GPUs' memory, less weights and room for activations.
 * vLLM's rule (gpu_memory_utilization 0.9); activations of the largest batch and CUDA graphs are taken as a fixed room.
 */
export function kvBlocksThatFit(
  m: ModelShape,
  memoryBytes: Bytes,
  tensorParallel: number,
  blockTokens: number,
  memoryShare = 0.9,
  beside: MemoryBeside = { weights: 0, kvPerToken: 0 },
): number {
  const activationRoom = 3e9 * tensorParallel;
  const room = memoryBytes * tensorParallel * memoryShare - weightBytes(m) - beside.weights - activationRoom;
  return Math.max(0, Math.floor(room / ((kvBytesPerToken(m) + beside.kvPerToken) * blockTokens)));
}
