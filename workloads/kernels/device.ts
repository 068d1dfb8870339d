import type { ParameterValues } from '../run/parameter.ts';

/** What one iteration does, for rates. */
export interface KernelWork {
  readonly flops: number;
  /** The number format of `flops`, for its roof; absent where it is mixed or nobody said. */
  readonly precision?: 'fp32' | 'tf32' | 'bf16' | 'fp16';
  /** Least bytes over the card's own memory, each operand counted once; absent where nobody counted them. */
  readonly deviceBytes?: number;
  /** Useful bytes over the host link. */
  readonly hostBytes: number;
  readonly launches: number;
  readonly items: number;
  readonly itemName: string;
}

/** One output held against its reference, over all elements. */
export interface OutputVerification {
  readonly output: string;
  readonly ok: boolean;
  readonly elements: number;
  /** Largest difference over the reference's root mean square; absolute for exact outputs. */
  readonly worst: number;
  readonly limit: number;
}

/** The variants of one target, made from the same inputs and ready to run. */
export interface PreparedKernels {
  /** Runs one iteration to its end; milliseconds by the device's own clock. */
  iterate(variant: string): number;
  work(variant: string): KernelWork;
  /** The outputs of the variant's last iteration against a reference that no variant has computed. */
  verify(variant: string): readonly OutputVerification[];
  /** What the target found out beside times; kept in the summary. `warmUp` iterations of each variant do not count. */
  findings?(warmUp: number): Readonly<Record<string, unknown>>;
  free(): void;
}

/** A GPU as kernel targets need it. */
export interface KernelDevice {
  readonly index: number;
  readonly name: string;
  prepare(target: string, variants: readonly string[], parameters: ParameterValues): PreparedKernels;
}
