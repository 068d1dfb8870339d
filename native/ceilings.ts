// The measured roofs of one card: memory, links, matrix products, launches.
import { join } from 'node:path';
import type { RawAddon } from './addon.ts';
import { type Answer, parseAnswer } from './answer.ts';
import type { Cuda } from './cuda.ts';

export interface Ceiling {
  /** `deviceCopy`, `hbmRead`, `gemm:bf16`, `peerCopy:0>1` … */
  readonly id: string;
  readonly name: string;
  /** Median of the repetitions. */
  readonly value: number;
  readonly unit: 'bytes/s' | 'FLOP/s' | 's' | 'MHz';
  readonly least: number;
  readonly most: number;
  readonly repetitions: number;
  /** What was run and how it was counted. */
  readonly definition: string;
}

export interface Ceilings {
  readonly device: number;
  readonly name: string;
  readonly cudaDriver: string;
  /** cuBLASLt's version number, absent where it was not found. */
  readonly cublasLt?: number;
  /** NCCL's version, where several GPUs are visible and it was found. */
  readonly nccl?: string;
  readonly ceilings: readonly Ceiling[];
  /** What this machine cannot measure, and why. */
  readonly waived: readonly { readonly id: string; readonly reason: string }[];
  readonly seconds: number;
}

export interface CeilingOptions {
  readonly device?: number;
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    /** The measurement that begins; empty at the end. */
    readonly id: string;
  }) => void;
  /** Stops before the next measurement; what was measured is kept. */
  readonly signal?: AbortSignal;
  /** Smaller buffers and matrices, for tests: 1 is the real thing. */
  readonly scale?: number;
  /** Only those whose id begins with one of these; all when absent. */
  readonly only?: readonly string[];
}

export async function measureCeilings(
  addon: RawAddon,
  cuda: Cuda,
  kernelFolder: string,
  libraries: { readonly cublasLt?: string; readonly nvml?: string; readonly nccl?: string },
  options: CeilingOptions,
): Promise<Answer<Ceilings>> {
  const { device = 0, onProgress, signal, scale = 1, only = [] } = options;
  const cancel = new Int32Array(1);
  const onAbort = () => cancel.fill(1);
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  // Progress arrives by a queue of its own: the last word of it may come after the answer.
  let tellEnd: () => void = () => {};
  const allTold = new Promise<void>((resolve) => {
    tellEnd = resolve;
  });
  const text = await addon.ceilings(
    cuda.raw.runtime,
    device,
    join(kernelFolder),
    libraries.cublasLt ?? process.env['DYNO_CUBLASLT'] ?? '',
    libraries.nvml ?? '',
    scale,
    (done, total, id) => {
      onProgress?.({ done, total, id });
      if (done === total) tellEnd();
    },
    cancel,
    libraries.nccl ?? process.env['DYNO_NCCL'] ?? '',
    only,
  );
  signal?.removeEventListener('abort', onAbort);
  const answer = parseAnswer<Ceilings>(text);
  if (answer.ok) await allTold;
  return answer;
}
