import type { Ns, Tokens } from '../../units.ts';
import { IntQueue } from '../intQueue.ts';
import type { WaitingQueue } from './scheduler.ts';

export interface Bucket {
  readonly name: string;
  /** Largest batch. */
  readonly batch: number;
}

/** Bucket of each request by what it is expected to take: the first bound that is not below it, else the last. */
export function bucketsBySize(bounds: readonly Tokens[], sizes: ArrayLike<Tokens>): Uint8Array {
  return Uint8Array.from(sizes, (size) => {
    const found = bounds.findIndex((bound) => size <= bound);
    return found < 0 ? bounds.length - 1 : found;
  });
}

/** Waiting requests in buckets, each first come first served. A bucket is ready when it fills a batch or has waited enough. */
export class BucketQueue implements WaitingQueue {
  length = 0;
  private readonly queues: readonly IntQueue[];
  private readonly buckets: readonly Bucket[];
  private readonly bucketOf: Uint8Array | undefined;
  private readonly arrivalNs: ArrayLike<Ns>;
  private readonly waitNs: Ns;

  constructor(
    buckets: readonly Bucket[],
    bucketOf: Uint8Array | undefined,
    arrivalNs: ArrayLike<Ns>,
    waitNs: Ns,
  ) {
    this.buckets = buckets;
    this.queues = buckets.map(() => new IntQueue());
    this.bucketOf = bucketOf;
    this.arrivalNs = arrivalNs;
    this.waitNs = waitNs;
  }

  private queueOf(r: number): IntQueue | undefined {
    return this.queues[this.bucketOf?.[r] ?? 0];
  }

  push(r: number): void {
    this.queueOf(r)?.push(r);
    this.length++;
  }

  unshift(r: number): void {
    this.queueOf(r)?.unshift(r);
    this.length++;
  }

  private headArrival(bucket: number): Ns {
    const r = this.queues[bucket]?.next() ?? -1;
    return r < 0 ? Number.POSITIVE_INFINITY : (this.arrivalNs[r] ?? 0);
  }

  /** From when on a bucket may start a batch; 0 where it is full, ∞ where it is empty. */
  private readyAt(bucket: number): Ns {
    const waiting = this.queues[bucket]?.length ?? 0;
    if (waiting >= (this.buckets[bucket]?.batch ?? 1)) return 0;
    return this.headArrival(bucket) + this.waitNs;
  }

  /** From when on any bucket may start a batch. */
  get ready(): Ns {
    let at = Number.POSITIVE_INFINITY;
    for (let b = 0; b < this.buckets.length; b++) at = Math.min(at, this.readyAt(b));
    return at;
  }

  /** Of the buckets that may start at `now` the one whose first request arrived first; −1 where none may. */
  bucketAt(now: Ns): number {
    let chosen = -1;
    for (let b = 0; b < this.buckets.length; b++) {
      if (this.readyAt(b) <= now && (chosen < 0 || this.headArrival(b) < this.headArrival(chosen)))
        chosen = b;
    }
    return chosen;
  }

  /** First request of a bucket; −1 where it is empty. */
  firstOf(bucket: number): number {
    return this.queues[bucket]?.next() ?? -1;
  }
  takeFrom(bucket: number): void {
    this.queues[bucket]?.shift();
    this.length--;
  }
  batchOf(bucket: number): number {
    return this.buckets[bucket]?.batch ?? 1;
  }

  next(now: Ns): number {
    return this.firstOf(this.bucketAt(now));
  }

  shift(): number {
    const bucket = this.bucketAt(Number.POSITIVE_INFINITY);
    const r = this.firstOf(bucket);
    this.takeFrom(bucket);
    return r;
  }

  remove(r: number): boolean {
    const removed = this.queueOf(r)?.remove(r) === true;
    if (removed) this.length--;
    return removed;
  }

  at(i: number): number {
    let rest = i;
    for (const queue of this.queues) {
      if (rest < queue.length) return queue.at(rest);
      rest -= queue.length;
    }
    return -1;
  }
}
