import { parentPort } from 'node:worker_threads';
import type { Verification } from '../../workloads/catalog/target.ts';
import {
  type RequestColumns as OutputColumns,
  verifyRequests,
} from '../../workloads/catalog/verifyRequests.ts';
import {
  compareRequests,
  type RequestColumns,
  type RequestComparison,
} from '../../workloads/metrics/comparison.ts';
import { type QueueResult, runQueue } from '../../workloads/queueing/queueBench.ts';
import type { QueueSpec } from '../../workloads/queueing/queueSpec.ts';
import type { RunSpec, TrafficSpec } from '../../workloads/run/spec.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import { preview, type TrafficSketch } from '../../workloads/traffic/preview.ts';
import type { HostError } from '../contract/hostError.ts';
import { asHostError } from './runFailure.ts';
import { simulate } from './simulate.ts';
import { trafficSource } from './trafficSource.ts';

/** Questions that take longer than the host may be silent; answered in a worker thread, one after another. */
export interface Tasks {
  readonly compare: {
    readonly question: {
      readonly baseline: RequestColumns & OutputColumns;
      readonly optimized: RequestColumns & OutputColumns;
      readonly seed: number;
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

const answers: { readonly [T in TaskName]: (question: Tasks[T]['question']) => Promise<Tasks[T]['result']> } =
  {
    compare: ({ baseline, optimized, seed }) =>
      Promise.resolve({
        comparison: compareRequests(baseline, optimized, { seed }),
        verification: verifyRequests(baseline, optimized),
      }),
    preview: async ({ traffic, seed, bins }) => preview((await trafficSource({ traffic, seed }))(0), bins),
    simulate: ({ spec }) => simulate(spec),
    queue: ({ specs }) => Promise.resolve(specs.map(runQueue)),
  };

async function answer({ id, task, question }: TaskMessage): Promise<TaskAnswer> {
  try {
    // Task and question belong together in the message's type, which the compiler loses in the look-up.
    const found = answers[task] as (question: unknown) => Promise<unknown>;
    return { id, ok: true, result: await found(question) };
  } catch (thrown) {
    return { id, ok: false, error: asHostError(thrown) };
  }
}

export function answerTasks(): void {
  const port = parentPort;
  let before: Promise<void> = Promise.resolve();
  port?.on('message', (message: TaskMessage) => {
    before = before.then(async () => port.postMessage(await answer(message)));
  });
}
