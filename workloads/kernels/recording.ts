import type { RatioInterval } from '../metrics/interval.ts';

/** What is recorded of a kernel run beside its times. Each slows the run, and the summary says by how much. */
export interface RecordingSummary {
  readonly source: 'cupti';
  /** The library and its version number (130001 is CUDA 13.0 Update 1). */
  readonly library: string;
  readonly version: number;
  readonly records: number;
  /** Records that CUPTI had no room for, and buffers that it asked for in vain: what the timeline lacks. */
  readonly dropped: number;
  readonly refused_buffers: number;
  /** `own`: stamped with the run's clock; `tied`: CUPTI's clock was read beside it between iterations. */
  readonly clock: 'own' | 'tied';
  /** Iteration time recorded ÷ not recorded, by variant, from rounds after the measured ones, in turn. */
  readonly cost: Readonly<Record<string, RatioInterval>>;
}

/** Counters of the launches of one name, or of a whole iteration. */
export interface CountedKernel {
  readonly variant: string;
  readonly name: string;
  readonly launches: number;
  /** Threads of one launch, where all had as many. */
  readonly threads?: number;
  /** Sums over the launches, by NVIDIA's name. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface CounterSummary {
  readonly source: 'cupti';
  readonly chip: string;
  /** `kernel`: each launch by itself, repeated by CUPTI; `range`: an iteration as one range, repeated whole. */
  readonly mode: CounterMode;
  readonly passes: number;
  readonly metrics: readonly string[];
  readonly refused: readonly { readonly metric: string; readonly reason: string }[];
  /** Launches that had no room in the counter image. */
  readonly dropped: number;
  /** Host time of the counted iterations ÷ the median iteration, by variant. */
  readonly cost: Readonly<Record<string, number>>;
  readonly kernels: readonly CountedKernel[];
}

export type CounterMode = 'kernel' | 'range';
