// The engine inside a scripted server: a queue, slots, and a planned time for each token.
//
// Planned times follow from planned times, never from when a timer happened to fire: a slot that is free at 103.2 ms
// starts its next request at 103.2 ms although the callback ran at 103.5. So a queue's waiting times are those of the cost
// model, and closed forms (M/M/1, M/D/1) can be compared with what a client measures.
import { type CostModel, factorOf } from './costModel.ts';
import { type DueTimers, nowMs } from './dueTimers.ts';

export interface Job {
  readonly index: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Its KV blocks come from another server: transfer time instead of prefill. */
  readonly isTransferred: boolean;
  /** Resolves when the other server's prefill is done; undefined: nothing to wait for. */
  readonly waitsFor?: Promise<void>;
  readonly onScheduled?: () => void;
  /** Token `n` from 0 at its planned time. */
  readonly onToken: (n: number, plannedMs: number) => void;
}

export interface JobTimes {
  readonly receivedMs: number;
  scheduledMs: number;
  firstMs: number;
  lastMs: number;
}

interface Running {
  readonly job: Job;
  readonly times: JobTimes;
  cancelTimer: () => void;
}

export class Generations {
  private readonly cost: CostModel;
  private readonly timers: DueTimers;
  private readonly queue: { readonly job: Job; readonly times: JobTimes }[] = [];
  private readonly active = new Set<Running>();

  constructor(cost: CostModel, timers: DueTimers) {
    this.cost = cost;
    this.timers = timers;
  }

  get running(): number {
    return this.active.size;
  }

  get waiting(): number {
    return this.queue.length;
  }

  get isFull(): boolean {
    return this.active.size >= this.cost.maxConcurrent && this.queue.length >= this.cost.maxWaiting;
  }

  /** Takes a job. `cancel` frees its slot at once, as an engine does when its client goes away. */
  submit(job: Job, receivedMs: number): { readonly times: JobTimes; cancel(): void } {
    const times = { receivedMs, scheduledMs: Number.NaN, firstMs: Number.NaN, lastMs: Number.NaN };
    const waiting = { job, times };
    this.queue.push(waiting);
    this.fill(receivedMs);
    return {
      times,
      cancel: () => {
        const place = this.queue.indexOf(waiting);
        if (place >= 0) this.queue.splice(place, 1);
        for (const running of this.active)
          if (running.job === job) {
            running.cancelTimer();
            this.active.delete(running);
            this.fill(nowMs());
          }
      },
    };
  }

  private fill(at: number): void {
    while (this.active.size < this.cost.maxConcurrent) {
      const next = this.queue.shift();
      if (next === undefined) return;
      const running: Running = { ...next, cancelTimer: () => undefined };
      this.active.add(running);
      next.times.scheduledMs = Math.max(at, next.times.receivedMs);
      next.job.onScheduled?.();
      if (next.job.waitsFor === undefined) this.start(running, next.times.scheduledMs);
      else void next.job.waitsFor.then(() => this.start(running, nowMs()));
    }
  }

  private start(running: Running, at: number): void {
    if (this.active.has(running)) this.plan(running, 0, at + this.prefillMs(running.job));
  }

  private prefillMs(job: Job): number {
    const { cost } = this;
    const factor = factorOf(cost, this.active.size);
    if (cost.serviceMs !== undefined) return cost.serviceMs(job.index) * factor;
    if (job.isTransferred) return cost.transferMs;
    return (cost.overheadMs + (job.promptTokens - job.cachedTokens) * cost.prefillMsPerToken) * factor;
  }

  private plan(running: Running, token: number, due: number): void {
    running.cancelTimer = this.timers.at(due, () => {
      const { job, times } = running;
      if (token === 0) times.firstMs = due;
      times.lastMs = due;
      const isLast = token + 1 >= job.outputTokens;
      if (isLast) this.active.delete(running);
      job.onToken(token, due);
      if (isLast) this.fill(due);
      else if (this.active.has(running))
        this.plan(running, token + 1, due + this.cost.itlMs * factorOf(this.cost, this.active.size));
    });
  }
}
