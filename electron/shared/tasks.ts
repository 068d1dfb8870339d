import type { Verification } from '../../workloads/catalog/target.ts';
import type { RequestColumns as OutputColumns } from '../../workloads/catalog/verifyRequests.ts';
import type { RequestColumns, RequestComparison } from '../../workloads/metrics/comparison.ts';
import type { VerdictContext } from '../../workloads/metrics/verdict.ts';
import type { QueueResult } from '../../workloads/queueing/queueBench.ts';
import type { QueueSpec } from '../../workloads/queueing/queueSpec.ts';
import type { RunSpec, TrafficSpec } from '../../workloads/run/spec.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import type { TrafficSketch } from '../../workloads/traffic/trafficLook.ts';
import type { HostError } from '../contract/hostError.ts';

/** Questions that take longer than the host may be silent; answered in a worker thread, one after another. */
export interface Tasks {
  readonly compare: {
    readonly question: {
      readonly baseline: RequestColumns & OutputColumns;
      readonly optimized: RequestColumns & OutputColumns;
      readonly seed: number;
      readonly window?: { readonly from: number; readonly to: number };
      readonly verdict?: VerdictContext;
    };
    readonly result: { readonly comparison: RequestComparison; readonly verification: Verification };
  };
  readonly preview: {
    readonly question: { readonly traffic: TrafficSpec; readonly seed: number; readonly bins: number };
    readonly result: TrafficSketch;
  };
  /** One simulated run for its summary alone. */
  readonly simulate: { readonly question: { readonly spec: RunSpec }; readonly result: Summary };
  /** The queueing bench at each load. */
  readonly queue: {
    readonly question: { readonly specs: readonly QueueSpec[] };
    readonly result: readonly QueueResult[];
  };
}
export type TaskName = keyof Tasks;

export interface TaskMessage<T extends TaskName = TaskName> {
  readonly id: number;
  readonly task: T;
  readonly question: Tasks[T]['question'];
}
export type TaskAnswer =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly error: HostError };
