import { parentPort } from 'node:worker_threads';
import { asHostError } from '../../../shared/runFailure.ts';
import { CaptureError } from '../captureError.ts';
import { answers } from './reports.ts';
import type { ReportTasks } from './reportTasks.ts';

/** A worker thread of the host: it reads reports, so that a large one never stalls the window. */
interface Message {
  readonly id: number;
  readonly task: keyof ReportTasks;
  readonly question: unknown;
}

async function answer({ id, task, question }: Message) {
  try {
    // Task and question belong together in the sender's types, which the compiler loses in the look-up.
    const found = answers[task] as (question: unknown) => Promise<unknown>;
    return { id, ok: true, result: await found(question) };
  } catch (thrown) {
    return {
      id,
      ok: false,
      error: thrown instanceof CaptureError ? thrown.toHostError() : asHostError(thrown),
    };
  }
}

parentPort?.on('message', (message: Message) => {
  void answer(message).then((reply) => parentPort?.postMessage(reply));
});
