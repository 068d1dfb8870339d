// One matrix product by cuBLASLt, planned once and queued many times: D[m×n] = A[m×k]·B[k×n], column-major.
import { answered } from './activity.ts';
import type { RawAddon } from './addon.ts';
import type { CudaContext, CudaStream, DeviceBuffer } from './cuda.ts';

export type GemmPrecision = 'fp32' | 'tf32' | 'fp16' | 'bf16';

export class GemmPlan {
  /** The library's own choices, its best guess first. */
  readonly candidates: number;
  private readonly addon: RawAddon;
  private readonly runtime: number;
  private readonly plan: number;

  constructor(
    addon: RawAddon,
    context: CudaContext,
    precision: GemmPrecision,
    [m, n, k]: readonly [m: number, n: number, k: number],
    cublasLt: string,
  ) {
    this.addon = addon;
    this.runtime = context.runtime;
    const planned = answered<{ plan: number; candidates: number }>(
      addon.gemmPlan(context.runtime, context.handle, cublasLt, precision, m, n, k),
    );
    this.plan = planned.plan;
    this.candidates = planned.candidates;
  }

  queue(stream: CudaStream, a: DeviceBuffer, b: DeviceBuffer, d: DeviceBuffer, candidate = 0): void {
    answered(
      this.addon.gemmRun(this.runtime, this.plan, candidate, stream.handle, a.handle, b.handle, d.handle),
    );
  }

  free(): void {
    this.addon.gemmFree(this.plan);
  }
}
