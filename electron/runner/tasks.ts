import { parentPort } from 'node:worker_threads';
import {
  compareRequests,
  type RequestColumns,
  type RequestComparison,
} from '../../workloads/metrics/comparison.ts';

/** Questions that take too long for the host's event loop; answered one after another in a worker thread. */
export interface CompareTask {
  readonly task: 'compare';
  readonly id: number;
  readonly baseline: RequestColumns;
  readonly optimized: RequestColumns;
  readonly seed: number;
}
export type TaskAnswer =
  | { readonly id: number; readonly ok: true; readonly result: RequestComparison }
  | { readonly id: number; readonly ok: false; readonly message: string };

export const answer = (task: CompareTask): RequestComparison =>
  compareRequests(task.baseline, task.optimized, { seed: task.seed });

export function answerTasks(): void {
  const port = parentPort;
  port?.on('message', (task: CompareTask) => {
    let reply: TaskAnswer;
    try {
      reply = { id: task.id, ok: true, result: answer(task) };
    } catch (thrown) {
      reply = { id: task.id, ok: false, message: thrown instanceof Error ? thrown.message : String(thrown) };
    }
    port.postMessage(reply);
  });
}
