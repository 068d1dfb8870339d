import { JobHeap } from '../../queueing/jobHeap.ts';
import type { Ns } from '../../units.ts';
import { IntQueue } from '../intQueue.ts';
import type { WaitingQueue } from './scheduler.ts';

/**
 * Waiting requests by a key that is fixed when they arrive, smallest first. Preempted requests come before all others. With
 * `latestStart`, who can no longer make its deadline goes behind all who can:
 *
 *   preempted (latest first) · by key · late (in the order in which they became late at the head)
 */
export class OrderedQueue implements WaitingQueue {
  private readonly returned = new IntQueue();
  private readonly heap = new JobHeap();
  private readonly late = new IntQueue();
  private readonly keys: ArrayLike<number>;
  private readonly latestStart: ArrayLike<Ns> | undefined;

  constructor(keys: ArrayLike<number>, latestStart?: ArrayLike<Ns>) {
    this.keys = keys;
    this.latestStart = latestStart;
  }

  get length(): number {
    return this.returned.length + this.heap.size + this.late.length;
  }

  push(r: number): void {
    this.heap.push(this.keys[r] ?? 0, r);
  }

  unshift(r: number): void {
    this.returned.unshift(r);
  }

  next(now: Ns): number {
    if (this.returned.length > 0) return this.returned.at(0);
    const { heap, latestStart } = this;
    if (latestStart !== undefined) {
      while (heap.size > 0 && (latestStart[heap.min] ?? 0) < now) this.late.push(heap.pop());
    }
    return heap.size > 0 ? heap.min : this.late.next();
  }

  shift(): number {
    if (this.returned.length > 0) return this.returned.shift();
    return this.heap.size > 0 ? this.heap.pop() : this.late.shift();
  }

  remove(r: number): boolean {
    return this.heap.remove(r) || this.late.remove(r) || this.returned.remove(r);
  }

  at(i: number): number {
    const { returned, heap, late } = this;
    if (i < returned.length) return returned.at(i);
    const rest = i - returned.length;
    return rest < heap.size ? heap.at(rest) : late.at(rest - heap.size);
  }
}
