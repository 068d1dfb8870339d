import type { Ns } from '../../units.ts';
import type { PassComposer } from '../passComposer.ts';
import type { SwapSpace } from './swapSpace.ts';

/** Requests that wait for their prompt to be computed, and the order in which they are admitted. `IntQueue` is first come first served. */
export interface WaitingQueue {
  readonly length: number;
  /** A request arrives. */
  push(r: number): void;
  /** A preempted request comes back: it goes before requests that were never admitted. */
  unshift(r: number): void;
  /** The request to be admitted next at `now`; −1 where empty. */
  next(now: Ns): number;
  /** Takes out the one that `next` named. */
  shift(): number;
  /** Takes out a request that gives up waiting; false where it is not here. */
  remove(r: number): boolean;
  /** The i-th in some fixed order, for listing; i < length. */
  at(i: number): number;
}

/**
 * How one instance with continuous batching schedules. The instance keeps the batch, the blocks and the clock; the scheduler
 * puts each pass together out of the instance's steps.
 */
export interface Scheduler {
  readonly waiting: WaitingQueue;
  /** An arrival can become the head of the queue. */
  readonly reorders: boolean;
  /** The head of the queue can change as time passes. */
  readonly ages: boolean;
  /** Host memory for the KV cache of preempted requests; absent: they are recomputed. */
  readonly swap?: SwapSpace;
  /** Puts the pass that starts at `start` together; true where someone was preempted for it. */
  compose(pass: PassComposer, start: Ns): boolean;
  /** The request that is preempted next; −1 where the batch is empty. */
  victim(pass: PassComposer): number;
}
