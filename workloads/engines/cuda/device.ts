/**
 * The device that the GPU engine asks for: the part of `native/transformer.ts` that it uses, declared here so that `workloads` needs
 * nothing of `native`. The native classes satisfy it as they are; tests satisfy it with `ReferenceDevice`.
 */

export type TransformerFamily = 'llama' | 'qwen3' | 'mixtral' | 'qwen3_moe';

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
      readonly attentionFactor?: number;
    };

/** Sizes in elements. */
export interface TransformerShape {
  readonly family: TransformerFamily;
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Width of the dense feed-forward; ignored where `experts` is given. */
  readonly ffn: number;
  readonly vocab: number;
  readonly maxPositions: number;
  readonly normEps: number;
  readonly rope: { readonly theta: number; readonly scaling?: RopeScaling };
  readonly qkNorm: boolean;
  readonly tiedEmbeddings: boolean;
  readonly attentionBias?: boolean;
  readonly experts?: {
    readonly count: number;
    readonly topK: number;
    readonly ffn: number;
    readonly normTopK: boolean;
    readonly sharedFfn?: number;
  };
}

export type TensorType = 'BF16' | 'F16' | 'F32' | 'F8_E4M3';

/** One tensor within a safetensors file. `offset` counts from the start of the file. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: TensorType;
  readonly shape: readonly number[];
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

export type WeightSource =
  | { readonly kind: 'random'; readonly seed: number }
  | { readonly kind: 'tensors'; readonly tensors: readonly TensorSource[] };

export interface DeviceError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}
export type DeviceAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: DeviceError };

export const rowPrefill = 1;
/** The row's last chunk, or a decode step: a token is sampled from its last position. */
export const rowSamples = 2;
/** The row's only input token is the one that its slot sampled last on the device. */
export const rowFromDevice = 4;

/** One pass as columns, one entry per row. */
export interface DevicePass {
  readonly slots: Int32Array;
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly flags: Uint8Array;
  readonly tokens: Int32Array;
  readonly blockOffsets: Int32Array;
  readonly blocks: Int32Array;
  readonly label?: string;
}

export interface DeviceResult {
  /** On CLOCK_MONOTONIC. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly clockErrorNs: number;
  /** One per row that samples, in row order. */
  readonly tokens: Int32Array;
  readonly launches: number;
  readonly graph: boolean;
  readonly hostCpuNs: number;
  readonly expertTokens?: Int32Array;
}

export interface DevicePool {
  readonly blocks: number;
  readonly blockTokens: number;
  readonly bytes: number;
  free(): DeviceAnswer<undefined>;
}

export interface DeviceInstance {
  readonly bytes: number;
  readonly multiprocessors: number;
  readonly graphBuckets: readonly number[];
  pass(plan: DevicePass, done: (answer: DeviceAnswer<DeviceResult>) => void): void;
  warm(batch: number, prefillTokens?: readonly number[]): Promise<DeviceAnswer<undefined>>;
  close(): Promise<DeviceAnswer<undefined>>;
}

export interface DeviceCopy {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly clockErrorNs: number;
  readonly bytes: number;
}

/** A model that is loaded on one GPU. */
export interface DeviceModel<Pool extends DevicePool = DevicePool> {
  readonly info: {
    readonly parameters: number;
    readonly weightBytes: number;
    readonly kvBytesPerToken: number;
    readonly freeBytes: number;
    readonly totalBytes: number;
    readonly loadSeconds: number;
    readonly clockErrorNs: number;
  };
  kvPool(options: {
    readonly blocks: number;
    readonly blockTokens: number;
    readonly place?: 'device' | 'host';
  }): DeviceAnswer<Pool>;
  instance(options: {
    readonly pool: Pool;
    readonly maxSequences: number;
    readonly maxTokens: number;
    readonly priority?: number;
    readonly smShare?: number;
    readonly maxContext?: number;
  }): DeviceAnswer<DeviceInstance>;
  copyBlocks(
    from: Pool,
    to: Pool,
    pairs: Int32Array,
    options: {
      readonly layers?: { readonly from: number; readonly to: number };
      readonly onLayer?: (layer: number, endNs: bigint) => void;
    },
    done: (answer: DeviceAnswer<DeviceCopy>) => void,
  ): void;
  memory(): DeviceAnswer<{ readonly freeBytes: number; readonly totalBytes: number }>;
  close(): Promise<DeviceAnswer<undefined>>;
}
