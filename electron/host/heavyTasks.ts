import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { RunFailure } from '../shared/runFailure.ts';
import type { TaskAnswer, Tasks } from '../shared/tasks.ts';

/** How long an open question may hold up the end. */
const patienceMs = 500;

/** The questions that a thread answers, by name. */
type Questions = { readonly [task: string]: { readonly question: unknown; readonly result: unknown } };

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Work that takes longer than the host may be silent, asked of a worker thread: the runner's file in its other role, or
 * `captures.mjs`. The thread ends after `idleMs` without a question.
 */
export class HeavyTasks<All extends Questions = { readonly [T in keyof Tasks]: Tasks[T] }> {
  private readonly entry: string;
  private readonly idleMs: number;
  private worker: Worker | undefined;
  private idle: NodeJS.Timeout | undefined;
  private nextId = 1;
  private readonly open = new Map<number, Waiting>();
  /** Called when no question is open any more. */
  private answered: (() => void) | undefined;

  constructor(entry: string, idleMs = 20_000) {
    this.entry = entry;
    this.idleMs = idleMs;
  }

  ask<T extends keyof All>(task: T, question: All[T]['question']): Promise<All[T]['result']> {
    const id = this.nextId++;
    const message = { id, task, question };
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve: (result) => resolve(result as All[T]['result']), reject });
      clearTimeout(this.idle);
      const worker = this.thread();
      // Keeps the process alive until the answer has come; an idle thread does not.
      worker.ref();
      worker.postMessage(message);
    });
  }

  /**
   * Ends the thread: questions that are still open have `patience` ms, then they are told that they were cancelled. A thread
   * that is ended in the middle of a native call may take the process along; one that only computes needs no patience.
   */
  async close(patience = patienceMs): Promise<void> {
    clearTimeout(this.idle);
    const { worker } = this;
    this.worker = undefined;
    if (this.open.size > 0 && patience > 0)
      await Promise.race([this.whenAnswered(), delay(patience, undefined, { ref: false })]);
    for (const { reject } of this.open.values())
      reject(new RunFailure({ code: 'cancelled', message: 'cancelled: its thread was ended' }));
    this.open.clear();
    await worker?.terminate();
  }

  private whenAnswered(): Promise<void> {
    return new Promise((resolve) => {
      this.answered = resolve;
    });
  }

  private thread(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(this.entry);
    this.worker = worker;
    worker.on('message', (answer: TaskAnswer) => {
      const waiting = this.open.get(answer.id);
      this.open.delete(answer.id);
      if (answer.ok) waiting?.resolve(answer.result);
      else waiting?.reject(new RunFailure(answer.error));
      if (this.open.size === 0) {
        this.answered?.();
        this.idle = setTimeout(() => void this.close(), this.idleMs);
        this.idle.unref();
        worker.unref();
      }
    });
    const end = (error: Error) => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      for (const { reject } of this.open.values()) reject(error);
      this.open.clear();
    };
    worker.on('error', end);
    worker.on('exit', (code) => end(new Error(`the worker thread ended with status ${code}`)));
    return worker;
  }
}
