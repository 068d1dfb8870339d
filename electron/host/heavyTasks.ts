import { Worker } from 'node:worker_threads';
import type { ComparedRequests, CompareTask, TaskAnswer } from '../runner/tasks.ts';

/** A worker thread that ends after this long without a question. */
const idleMs = 20_000;

/** Statistics that take longer than the host may be silent, asked of a worker thread (the runner's file in its other role). */
export class HeavyTasks {
  private readonly entry: string;
  private worker: Worker | undefined;
  private idle: NodeJS.Timeout | undefined;
  private nextId = 1;
  private readonly open = new Map<
    number,
    { readonly resolve: (result: ComparedRequests) => void; readonly reject: (error: Error) => void }
  >();

  constructor(runnerEntry: string) {
    this.entry = runnerEntry;
  }

  compare(question: Omit<CompareTask, 'id'>): Promise<ComparedRequests> {
    const id = this.nextId++;
    const task: CompareTask = { ...question, id };
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      clearTimeout(this.idle);
      const worker = this.thread();
      worker.ref();
      worker.postMessage(task);
    });
  }

  close(): void {
    clearTimeout(this.idle);
    void this.worker?.terminate();
    this.worker = undefined;
  }

  private thread(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(this.entry, { stdin: false });
    this.worker = worker;
    worker.on('message', (answer: TaskAnswer) => {
      const waiting = this.open.get(answer.id);
      this.open.delete(answer.id);
      if (answer.ok) waiting?.resolve(answer.result);
      else waiting?.reject(new Error(answer.message));
      if (this.open.size === 0) {
        this.idle = setTimeout(() => this.close(), idleMs);
        this.idle.unref();
        worker.unref();
      }
    });
    const end = (error: Error) => {
      if (this.worker === worker) this.worker = undefined;
      for (const { reject } of this.open.values()) reject(error);
      this.open.clear();
    };
    worker.on('error', end);
    worker.on('exit', (code) => end(new Error(`the worker thread ended with status ${code}`)));
    return worker;
  }
}
