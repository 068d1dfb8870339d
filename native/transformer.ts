// A decoder-only transformer that serves on one GPU: weights, paged KV pools, instances that run passes.
//
//   const opened = await native.openTransformer({ device: 0, shape, weights: { kind: 'random', seed: 1 } });
//   const pool = opened.value.kvPool({ blocks: 4096, blockTokens: 16 });
//   const instance = opened.value.instance({ pool, maxSequences: 256, maxTokens: 8192 });
//   instance.pass(plan, (result) => …);      // returns at once; `done` is called once, on this thread
//
// A pass runs on a thread of its instance and never blocks JavaScript. Passes of one instance run in the order of their
// calls; up to two are on the card at a time, so that the card never waits for the host between them.
import type { RawAddon } from './addon.ts';
import { type Answer, failure, type NativeError, parseAnswer, success } from './answer.ts';

export type TransformerFamily = 'llama' | 'qwen3' | 'mixtral' | 'qwen3_moe';

/** RoPE scalings as `config.json` publishes them under `rope_scaling` (transformers' `modeling_rope_utils`). */
export type RopeScaling =
  | { readonly kind: 'linear'; readonly factor: number }
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositions: number;
    }
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly originalMaxPositions: number;
      /** Multiplies cos and sin; absent: 0.1·ln(factor) + 1. */
      readonly attentionFactor?: number;
    };

export interface ExpertShape {
  readonly count: number;
  /** Experts of one token. */
  readonly topK: number;
  readonly ffn: number;
  /** Divides the chosen experts' gate values by their sum. */
  readonly normTopK: boolean;
  /** Width of the expert that every token passes. */
  readonly sharedFfn?: number;
}

/** Sizes in elements. Weights are BF16, sums FP32. */
export interface TransformerShape {
  readonly family: TransformerFamily;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** 64 or 128. */
  readonly headDim: number;
  /** Width of the dense feed-forward; ignored where `experts` is given. */
  readonly ffn: number;
  readonly vocab: number;
  /** Longest context; sizes the RoPE table and the block tables. */
  readonly maxPositions: number;
  readonly normEps: number;
  readonly rope: { readonly theta: number; readonly scaling?: RopeScaling };
  /** RMSNorm of each head's query and key before RoPE (Qwen3). */
  readonly qkNorm: boolean;
  /** The head's matrix is the embedding. */
  readonly tiedEmbeddings: boolean;
  /** Q, K and V projections add a bias. */
  readonly attentionBias?: boolean;
  readonly experts?: ExpertShape;
}

/** One tensor within a safetensors file. `offset` counts from the start of the file. Names are Hugging Face's. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: 'BF16' | 'F16' | 'F32' | 'F8_E4M3';
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

export type WeightSource =
  /** Drawn on the device by a counter-based generator; `randomWeight` draws the same values on the CPU. */
  | { readonly kind: 'random'; readonly seed: number }
  | { readonly kind: 'tensors'; readonly tensors: readonly TensorSource[] };

export interface TransformerOptions {
  readonly device: number;
  readonly shape: TransformerShape;
  readonly weights: WeightSource;
  /** Dense matrices: as they are (BF16), or FP8 E4M3 with one scale per output channel. */
  readonly dense?: 'bf16' | 'fp8';
  /** Called on this thread while weights load. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface TransformerInfo {
  readonly parameters: number;
  readonly weightBytes: number;
  /** Bytes of one token's keys and values over all layers. */
  readonly kvBytesPerToken: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly loadSeconds: number;
  /** Largest error of a device time on this process's monotonic clock, measured at opening. */
  readonly clockErrorNs: number;
}

export interface KvPoolOptions {
  readonly blocks: number;
  /** Tokens of one block: a multiple of 16. */
  readonly blockTokens: number;
  /** `host`: pinned host memory, a tier for swap; passes cannot use it. Default `device`. */
  readonly place?: 'device' | 'host';
}

export interface InstanceOptions {
  readonly pool: KvPool;
  /** Slots: sequences whose last token the device remembers. */
  readonly maxSequences: number;
  /** Most tokens of one pass. */
  readonly maxTokens: number;
  /** Lower runs first where streams compete; the driver has few levels (0 and −1 … −5). Default 0. */
  readonly priority?: number;
  /** Share of the multiprocessors. Only 1 so far (all, shared with the other instances); else the answer is UNSUPPORTED. */
  readonly smShare?: number;
  /** Most tokens of one sequence; sizes the block tables. Default: the shape's `maxPositions`. */
  readonly maxContext?: number;
}

export const rowPrefill = 1;
/** The row's last chunk (or a decode step): a token is sampled from its last position. */
export const rowSamples = 2;
/** The row's only input token is the one that this slot sampled last on the device; it takes none from `tokens`. */
export const rowFromDevice = 4;

/** Columns, one entry per row (a sequence's chunk or decode step). */
export interface PassPlan {
  /** Slot of each row's sequence, 0 ≤ slot < maxSequences; a slot appears once per pass. */
  readonly slots: Int32Array;
  /** Position of the row's first token: the tokens before it are in its blocks already. */
  readonly starts: Int32Array;
  /** Tokens of the row in this pass. */
  readonly counts: Int32Array;
  /** `rowPrefill | rowSamples | rowFromDevice`. */
  readonly flags: Uint8Array;
  /** Input tokens of the rows without `rowFromDevice`, row after row. */
  readonly tokens: Int32Array;
  /** rows + 1 offsets into `blocks`. */
  readonly blockOffsets: Int32Array;
  /** Physical blocks of each row's sequence from position 0, enough for starts + counts tokens. */
  readonly blocks: Int32Array;
  /** Per row; absent: greedy for all. Temperature 0 is greedy. `draws` is 2 numbers a row: seed and step. */
  readonly sampling?: {
    readonly temperature: Float32Array;
    readonly topP: Float32Array;
    readonly draws: Uint32Array;
    /** Allowed tokens as bits, ⌈vocab / 32⌉ words per mask; `mask` names a row's mask, −1 none. */
    readonly masks?: Uint32Array;
    readonly mask?: Int32Array;
  };
  /**
   * Runs layers from ≤ l < to, then the head when `head`. Default: all, with the head. A pass that ends before the last layer
   * keeps each row's hidden states by slot; a pass that starts after layer 0 takes them from there (decode rows only).
   */
  readonly layers?: { readonly from: number; readonly to: number; readonly head: boolean };
  /** Returns the largest softmax probability of each sampled row. */
  readonly confidence?: boolean;
  /** Returns the sampled rows' logits (tests, perplexity). */
  readonly logits?: 'sampled' | 'all';
  /** Samples at every position of the prefill rows (speculative verification); `tokens` then has one per input token. */
  readonly sampleAll?: boolean;
  /** Prefix of the pass's NVTX range. */
  readonly label?: string;
}

export interface PassResult {
  /** On CLOCK_MONOTONIC, as `process.hrtime.bigint()`; error at most `clockErrorNs`. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly clockErrorNs: number;
  /** One per row with `rowSamples` (per input token with `sampleAll`), in row order. */
  readonly tokens: Int32Array;
  readonly confidence?: Float32Array;
  /** rows × vocab. */
  readonly logits?: Float32Array;
  /** Kernels, or 1 for a graph. */
  readonly launches: number;
  readonly graph: boolean;
  /** CPU time of the pass's thread: laying out, queueing, answering. */
  readonly hostCpuNs: number;
  /** Tokens routed to each expert, layers × experts (MoE shapes). */
  readonly expertTokens?: Int32Array;
}

export type PassAnswer = Answer<PassResult>;

export interface CopyResult {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly clockErrorNs: number;
  readonly bytes: number;
}

export interface CopyOptions {
  /** Copies layers from ≤ l < to. Default: all. */
  readonly layers?: { readonly from: number; readonly to: number };
  /** Called once per layer when it has arrived, in order. */
  readonly onLayer?: (layer: number, endNs: bigint) => void;
}

/** Where the driver libraries are; empty: as the loader finds them. */
export interface TransformerLibraries {
  readonly cuda?: string;
  readonly cublasLt?: string;
}

const scalingKinds = { none: 0, linear: 1, llama3: 2, yarn: 3 } as const;
const families: readonly TransformerFamily[] = ['llama', 'qwen3', 'mixtral', 'qwen3_moe'];
const dtypes: readonly TensorSource['dtype'][] = ['BF16', 'F16', 'F32', 'F8_E4M3'];

/** The shape as the addon takes it: `transformer/shape.h` reads the same order. */
export function shapeNumbers(shape: TransformerShape, fp8: boolean): Float64Array {
  const { experts, rope } = shape;
  const { scaling } = rope;
  const low =
    scaling?.kind === 'llama3' ? scaling.lowFreqFactor : scaling?.kind === 'yarn' ? scaling.betaSlow : 0;
  const high =
    scaling?.kind === 'llama3' ? scaling.highFreqFactor : scaling?.kind === 'yarn' ? scaling.betaFast : 0;
  return Float64Array.of(
    families.indexOf(shape.family),
    shape.layers,
    shape.hidden,
    shape.heads,
    shape.kvHeads,
    shape.headDim,
    shape.ffn,
    shape.vocab,
    shape.maxPositions,
    shape.normEps,
    rope.theta,
    scalingKinds[scaling?.kind ?? 'none'],
    scaling?.factor ?? 1,
    low,
    high,
    scaling === undefined || scaling.kind === 'linear' ? 0 : scaling.originalMaxPositions,
    scaling?.kind === 'yarn' ? (scaling.attentionFactor ?? 0) : 0,
    shape.qkNorm ? 1 : 0,
    shape.tiedEmbeddings ? 1 : 0,
    shape.attentionBias === true ? 1 : 0,
    experts?.count ?? 0,
    experts?.topK ?? 0,
    experts?.ffn ?? 0,
    experts?.normTopK === true ? 1 : 0,
    experts?.sharedFfn ?? 0,
    fp8 ? 1 : 0,
  );
}

/** A KV pool: physical blocks of all layers, on the device or in pinned host memory. */
export class KvPool {
  readonly place: 'device' | 'host';
  readonly blocks: number;
  readonly blockTokens: number;
  readonly bytes: number;
  /** The addon's number for it. */
  readonly id: number;
  private readonly addon: RawAddon;

  constructor(addon: RawAddon, id: number, bytes: number, options: KvPoolOptions) {
    this.addon = addon;
    this.id = id;
    this.bytes = bytes;
    this.place = options.place ?? 'device';
    this.blocks = options.blocks;
    this.blockTokens = options.blockTokens;
  }

  /** Frees it; refused (POOL_BUSY) while an instance or a copy uses it. */
  free(): Answer<undefined> {
    return emptyAnswer(this.addon.transformerFreePool(this.id));
  }
}

const emptyAnswer = (text: string): Answer<undefined> =>
  text === '' ? success(undefined) : withoutValue(parseAnswer<unknown>(text));
const withoutValue = (answer: Answer<unknown>): Answer<undefined> =>
  answer.ok ? success(undefined) : answer;

const none32 = new Int32Array(0);
const noFloats = new Float32Array(0);
const noWords = new Uint32Array(0);

/** One serving instance: own stream, workspaces, graphs and thread. */
export class TransformerInstance {
  readonly id: number;
  /** Bytes of its workspaces. */
  readonly bytes: number;
  /** Multiprocessors that its kernels may use. */
  readonly multiprocessors: number;
  /** Batch sizes whose decode passes run as one CUDA graph; other sizes are padded up to the next. */
  readonly graphBuckets: readonly number[];
  private readonly addon: RawAddon;
  private readonly layers: number;

  constructor(
    addon: RawAddon,
    layers: number,
    made: { instance: number; bytes: number; multiprocessors: number; graphBuckets: readonly number[] },
  ) {
    this.addon = addon;
    this.layers = layers;
    this.id = made.instance;
    this.bytes = made.bytes;
    this.multiprocessors = made.multiprocessors;
    this.graphBuckets = made.graphBuckets;
  }

  /**
   * Queues a pass. The plan's arrays may be reused when this returns. `done` is called exactly once, later, on this thread:
   * a refused plan (`PLAN`, naming row, found and expected) or a driver's refusal is an error value there.
   */
  pass(plan: PassPlan, done: (answer: PassAnswer) => void): void {
    const { layers, sampling } = plan;
    const options = Int32Array.of(
      layers?.from ?? 0,
      layers?.to ?? this.layers,
      (layers?.head ?? true) ? 1 : 0,
      plan.confidence === true ? 1 : 0,
      plan.logits === 'all' ? 2 : plan.logits === 'sampled' ? 1 : 0,
      plan.sampleAll === true ? 1 : 0,
    );
    this.addon.transformerPass(
      this.id,
      [
        plan.slots,
        plan.starts,
        plan.counts,
        plan.flags,
        plan.tokens,
        plan.blockOffsets,
        plan.blocks,
        options,
        sampling?.temperature ?? noFloats,
        sampling?.topP ?? noFloats,
        sampling?.draws ?? noWords,
        sampling?.masks ?? noWords,
        sampling?.mask ?? none32,
      ],
      plan.label ?? '',
      (error, numbers, clock, tokens, confidence, logits, expertTokens) => {
        if (error !== '') {
          done(withoutResult(parseAnswer<unknown>(error)));
          return;
        }
        done(
          success({
            startNs: clock[0] ?? 0n,
            endNs: clock[1] ?? 0n,
            clockErrorNs: numbers[0] ?? 0,
            launches: numbers[1] ?? 0,
            graph: numbers[2] === 1,
            hostCpuNs: numbers[3] ?? 0,
            tokens,
            ...(plan.confidence === true ? { confidence } : {}),
            ...(plan.logits === undefined ? {} : { logits }),
            ...(expertTokens.length > 0 ? { expertTokens } : {}),
          }),
        );
      },
    );
  }

  /** Measures matrix products and captures graphs for decode batches up to `batch`, so that no pass pays for it later. */
  async warm(batch: number, prefillTokens: readonly number[] = []): Promise<Answer<undefined>> {
    return emptyAnswer(await this.addon.transformerWarm(this.id, batch, Int32Array.from(prefillTokens)));
  }

  /** Ends its threads when its passes are done, and frees what it holds. */
  async close(): Promise<Answer<undefined>> {
    return emptyAnswer(await this.addon.transformerCloseInstance(this.id));
  }
}

function withoutResult(answer: Answer<unknown>): Answer<never> {
  return answer.ok ? failure(notAnError) : answer;
}
const notAnError: NativeError = {
  code: 'ADDON_FAILURE',
  message: 'The addon answered neither a result nor an error.',
  hint: 'Build the addon again: `node native/build.mjs`.',
};

export class Transformer {
  readonly id: number;
  readonly shape: TransformerShape;
  readonly info: TransformerInfo;
  private readonly addon: RawAddon;

  private constructor(addon: RawAddon, id: number, shape: TransformerShape, info: TransformerInfo) {
    this.addon = addon;
    this.id = id;
    this.shape = shape;
    this.info = info;
  }

  static async open(
    addon: RawAddon,
    kernelFolder: string,
    libraries: TransformerLibraries,
    options: TransformerOptions,
  ): Promise<Answer<Transformer>> {
    const { shape, weights, onProgress } = options;
    const tensors = weights.kind === 'tensors' ? weights.tensors : [];
    const files = [...new Set(tensors.map((tensor) => tensor.file))];
    const numberOfFile = new Map(files.map((file, index) => [file, index]));
    // Five numbers a tensor: file, offset, bytes, type, elements.
    const places = new Float64Array(tensors.length * 5);
    tensors.forEach((tensor, index) => {
      const elements = tensor.shape.reduce((product, size) => product * size, 1);
      places.set(
        [
          numberOfFile.get(tensor.file) ?? 0,
          tensor.offset,
          tensor.bytes,
          dtypes.indexOf(tensor.dtype),
          elements,
        ],
        index * 5,
      );
    });
    const progress = new Float64Array(2);
    const timer =
      onProgress === undefined
        ? undefined
        : setInterval(() => onProgress(progress[0] ?? 0, progress[1] ?? 0), 100);
    try {
      const answer = parseAnswer<TransformerInfo & { transformer: number }>(
        await addon.transformerOpen(
          [libraries.cuda ?? '', kernelFolder, libraries.cublasLt ?? process.env['DYNO_CUBLASLT'] ?? ''],
          options.device,
          shapeNumbers(shape, options.dense === 'fp8'),
          weights.kind === 'random' ? weights.seed : -1,
          tensors.map((tensor) => tensor.name),
          files,
          places,
          progress,
        ),
      );
      if (!answer.ok) return answer;
      const { transformer, ...info } = answer.value;
      return success(new Transformer(addon, transformer, shape, info));
    } finally {
      clearInterval(timer);
    }
  }

  /** Allocates blocks for all layers. Too large: CUDA_ERROR_OUT_OF_MEMORY, with the bytes asked for and free. */
  kvPool(options: KvPoolOptions): Answer<KvPool> {
    const made = parseAnswer<{ pool: number; bytes: number }>(
      this.addon.transformerPool(this.id, options.blocks, options.blockTokens, options.place === 'host'),
    );
    return made.ok ? success(new KvPool(this.addon, made.value.pool, made.value.bytes, options)) : made;
  }

  instance(options: InstanceOptions): Answer<TransformerInstance> {
    const made = parseAnswer<{
      instance: number;
      bytes: number;
      multiprocessors: number;
      graphBuckets: readonly number[];
    }>(
      this.addon.transformerInstance(
        this.id,
        options.pool.id,
        options.maxSequences,
        options.maxTokens,
        options.priority ?? 0,
        options.smShare ?? 1,
        options.maxContext ?? this.shape.maxPositions,
      ),
    );
    return made.ok ? success(new TransformerInstance(this.addon, this.shape.layers, made.value)) : made;
  }

  /**
   * Copies blocks between two pools of the same shape (one GPU, two GPUs, device and host) on a stream of its own, layer by
   * layer. `pairs` is from, to, from, to, … Passes that were queued before and that touch these blocks must have answered.
   */
  copyBlocks(
    from: KvPool,
    to: KvPool,
    pairs: Int32Array,
    options: CopyOptions,
    done: (answer: Answer<CopyResult>) => void,
  ): void {
    const { layers, onLayer } = options;
    this.addon.transformerCopy(
      this.id,
      from.id,
      to.id,
      pairs,
      layers?.from ?? 0,
      layers?.to ?? this.shape.layers,
      onLayer !== undefined,
      (error, layer, clock, clockErrorNs, bytes) => {
        if (error !== '') done(withoutResult(parseAnswer<unknown>(error)));
        else if (layer >= 0) onLayer?.(layer, clock[1] ?? 0n);
        else done(success({ startNs: clock[0] ?? 0n, endNs: clock[1] ?? 0n, clockErrorNs, bytes }));
      },
    );
  }

  /** Bytes of device memory now. */
  memory(): Answer<{ readonly freeBytes: number; readonly totalBytes: number }> {
    return parseAnswer(this.addon.transformerMemory(this.id));
  }

  /** Closes its instances, frees pools and weights. */
  async close(): Promise<Answer<undefined>> {
    return emptyAnswer(await this.addon.transformerClose(this.id));
  }
}
