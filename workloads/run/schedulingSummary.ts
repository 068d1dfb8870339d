import type { SchedulerPolicySpec } from './schedulerSpec.ts';
import type { Distribution } from './summary.ts';

/** How one class of requests fared against its own deadline. */
export interface ClassSummary {
  readonly name: string;
  readonly ttft_objective_ms: number;
  readonly arrived: number;
  /** First tokens that came by the deadline ÷ requests that arrived; absent where none did. */
  readonly in_time?: number;
  readonly ttft_ms?: Distribution;
  readonly tpot_ms?: Distribution;
}

/** What a scheduler policy did; absent from a summary whose spec names none. */
export interface SchedulingSummary {
  readonly policy: SchedulerPolicySpec['kind'];
  /** Present with preemption by swap. `refused`: the host memory was full, so the request was recomputed. */
  readonly swap?: {
    readonly outs: number;
    readonly ins: number;
    readonly bytes: number;
    /** Time that passes waited for copies, all instances together. */
    readonly stall_ms: number;
    readonly refused: number;
  };
  /** Static batching: prompt tokens and decode rows of padding and of finished answers ÷ all that were computed. */
  readonly padding_share?: number;
  readonly classes?: readonly ClassSummary[];
  /** First tokens that came by their class's deadline ÷ requests that arrived, all classes and the first one. */
  readonly in_time?: number;
  readonly first_class_in_time?: number;
}
