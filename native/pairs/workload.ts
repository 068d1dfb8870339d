// What a CUDA workload is on the native side: the same inputs for every variant, one iteration that queues work, outputs that are
// verified over all elements against a float64 reference.
import type { RawAddon } from '../addon.ts';
import type { CudaContext, CudaStream } from '../cuda.ts';

export interface WorkloadEnvironment {
  readonly context: CudaContext;
  readonly addon: RawAddon;
  /** Where cuBLASLt is; empty: as the loader finds it. */
  readonly cublasLt: string;
}

export interface Prepared {
  readonly stream: CudaStream;
  /** Queues one iteration; every iteration does the same work from the same inputs. */
  iterate(): void;
  /** The outputs of the last iteration; the caller has synchronised. */
  outputs(): readonly Output[];
  /** What one iteration does, for throughput and roofline. */
  readonly work: Work;
  free(): void;
}

export interface Output {
  readonly name: string;
  readonly values: Float32Array | Int32Array | Float64Array;
}

export interface Work {
  readonly flops: number;
  /** The number format of `flops`, for its roof. */
  readonly precision?: 'fp32' | 'tf32' | 'bf16' | 'fp16';
  /** Least bytes over the card's own memory, each operand counted once; absent where nobody counted them. */
  readonly deviceBytes?: number;
  /** Useful bytes over the host link. */
  readonly hostBytes: number;
  readonly launches: number;
  readonly items: number;
  readonly itemName: string;
}

/** `relative` is held against the root mean square of each output, so that an element near zero is not judged by itself. */
export type Tolerance = { readonly kind: 'exact' } | { readonly kind: 'relative'; readonly limit: number };

export interface CudaWorkload<Parameters, Inputs> {
  readonly id: string;
  readonly variants: readonly string[];
  readonly defaults: Parameters;
  readonly tolerance: Readonly<Record<string, Tolerance>>;
  /** Made once and handed to every variant and to the reference: they cannot differ in what they work on. */
  inputs(parameters: Parameters): Inputs;
  prepare(
    environment: WorkloadEnvironment,
    variant: string,
    parameters: Parameters,
    inputs: Inputs,
  ): Prepared;
  /** The float64 reference of every output: independent of the variants. */
  reference(
    environment: Pick<WorkloadEnvironment, 'addon'>,
    parameters: Parameters,
    inputs: Inputs,
  ): readonly Output[];
}

export interface Verification {
  readonly output: string;
  readonly ok: boolean;
  readonly elements: number;
  /** Largest difference, over the root mean square of the reference (absolute for exact outputs). */
  readonly worst: number;
  readonly limit: number;
}

export function verify(
  outputs: readonly Output[],
  reference: readonly Output[],
  tolerance: Readonly<Record<string, Tolerance>>,
): Verification[] {
  return reference.map((expected) => {
    const found = outputs.find((output) => output.name === expected.name);
    const rule = tolerance[expected.name] ?? { kind: 'exact' };
    const limit = rule.kind === 'exact' ? 0 : rule.limit;
    if (found === undefined || found.values.length !== expected.values.length) {
      return {
        output: expected.name,
        ok: false,
        elements: expected.values.length,
        worst: Number.POSITIVE_INFINITY,
        limit,
      };
    }
    let worst = 0;
    let squares = 0;
    for (let i = 0; i < expected.values.length; i++) {
      const want = expected.values[i] ?? 0;
      const difference = Math.abs((found.values[i] ?? Number.NaN) - want);
      // NaN compares false: say so by hand.
      worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
      squares += want * want;
    }
    const scale = rule.kind === 'exact' ? 1 : Math.sqrt(squares / Math.max(expected.values.length, 1)) || 1;
    return {
      output: expected.name,
      ok: worst / scale <= limit,
      elements: expected.values.length,
      worst: worst / scale,
      limit,
    };
  });
}
