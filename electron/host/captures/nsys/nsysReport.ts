import type { Bytes, BytesPerSec, Fraction, Ns } from '../../../../workloads/units.ts';

/**
 * What an Nsight Systems report says, as columns: one row per event, sorted by start. Times are ns since the start of
 * the recording. An index column points into `names`; -1 is none. NaN is unknown.
 */
export interface NsysReport {
  readonly source: 'captured';
  readonly tool: { readonly name: string; readonly version: string; readonly schema: string };
  /** Wall clock of time 0, ns since 1970 as a decimal string (it does not fit a double); absent where not recorded. */
  readonly startUtcNs?: string;
  readonly gpus: readonly CapturedGpu[];
  readonly names: readonly string[];
  readonly kernels: KernelEvents;
  readonly copies: CopyEvents;
  readonly ranges: RangeEvents;
  /** CUDA runtime and driver calls; operating system calls are in `osCalls`. */
  readonly apiCalls: CallEvents;
  readonly osCalls: CallEvents;
  readonly counters: readonly CounterSeries[];
  /** The tables that the file lacks, each with the consequence. */
  readonly missing: readonly string[];
  /** The tool's own warnings while recording. */
  readonly diagnostics: readonly string[];
}

export interface CapturedGpu {
  readonly id: number;
  readonly name: string;
  readonly chip?: string;
  readonly uuid?: string;
  readonly computeCapability?: string;
  readonly smCount?: number;
  readonly clockHz?: number;
  readonly memoryBytesPerSec?: BytesPerSec;
  readonly memoryBytes?: Bytes;
  readonly l2Bytes?: Bytes;
}

interface Events {
  readonly rows: number;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

export interface KernelEvents extends Events {
  readonly name: Float64Array;
  readonly device: Float64Array;
  readonly stream: Float64Array;
  readonly pid: Float64Array;
  readonly correlation: Float64Array;
  /** Threads of the whole grid and of a block; NaN where the file has no launch shape. */
  readonly gridThreads: Float64Array;
  readonly blockThreads: Float64Array;
  readonly registers: Float64Array;
  readonly sharedBytes: Float64Array;
  /** The launch call on the host; NaN where none has the same correlation id. */
  readonly launchStartNs: Float64Array;
  readonly launchEndNs: Float64Array;
  /** Row of `ranges`: the innermost push/pop range around the launch call, on the launching thread; -1 = none. */
  readonly range: Float64Array;
}

/** `kind` is a CUDA_MEMCPY_KIND: 1 host to device, 2 device to host, 8 device to device, 10 peer; 0 for a memset. */
export interface CopyEvents extends Events {
  readonly kind: Float64Array;
  readonly isSet: Uint8Array;
  readonly bytes: Float64Array;
  readonly device: Float64Array;
  readonly stream: Float64Array;
}

export interface RangeEvents extends Events {
  readonly name: Float64Array;
  readonly pid: Float64Array;
  readonly tid: Float64Array;
  /** Nesting on its thread, from 0; 0 for start/end ranges and marks. */
  readonly depth: Float64Array;
  /** 34 mark, 59 push/pop, 60 start/end: nsys's own event types. A mark ends where it starts. */
  readonly kind: Float64Array;
}

export interface CallEvents extends Events {
  readonly name: Float64Array;
  readonly pid: Float64Array;
  readonly tid: Float64Array;
  readonly correlation: Float64Array;
}

/** GPU metrics sampling: one metric of one GPU, integer per cent unless the name says otherwise. */
export interface CounterSeries {
  readonly device: number;
  readonly metric: string;
  readonly timeNs: Float64Array;
  readonly value: Float64Array;
}

/** A table row: all events of one name. */
export interface NameSummary {
  readonly name: string;
  readonly count: number;
  readonly totalNs: Ns;
  /** Of the total of all rows. */
  readonly share: Fraction;
  readonly minNs: Ns;
  readonly medianNs: Ns;
  readonly maxNs: Ns;
}

export interface CopySummary {
  readonly kind: string;
  readonly count: number;
  readonly bytes: Bytes;
  readonly totalNs: Ns;
  /** Bytes over the time in copies; absent for memsets of unknown size or no time. */
  readonly bytesPerSec?: BytesPerSec;
}

/** Kernels by the NVTX range around their launch. */
export interface RangeKernelSummary {
  /** Absent: launched outside every range. */
  readonly range?: string;
  readonly kernel: string;
  readonly count: number;
  readonly gpuNs: Ns;
  /** Mean of kernel start − end of its launch call: negative where the call returned after the kernel had begun. */
  readonly meanQueueNs?: Ns;
}
