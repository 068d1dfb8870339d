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

/** Questions that take longer than the host may be silent; answered one after another in a worker thread. */
export interface CompareTask {
  readonly id: number;
  readonly baseline: RequestColumns & OutputColumns;
  readonly optimized: RequestColumns & OutputColumns;
  readonly seed: number;
}
export interface ComparedRequests {
  readonly comparison: RequestComparison;
  readonly verification: Verification;
}
export type TaskAnswer =
  | { readonly id: number; readonly ok: true; readonly result: ComparedRequests }
  | { readonly id: number; readonly ok: false; readonly message: string };

export const answer = ({ baseline, optimized, seed }: CompareTask): ComparedRequests => ({
  comparison: compareRequests(baseline, optimized, { seed }),
  verification: verifyRequests(baseline, optimized),
});

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
