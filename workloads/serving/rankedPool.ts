import type { RankedOrder } from '../cache/blockCache.ts';
import { RankHeap } from '../cache/rankHeap.ts';
import type { Blocks } from '../units.ts';
import { KvPool } from './kvPool.ts';

const none = -1;

/** What is remembered of an idle block while a request computes it again. */
interface Adopted {
  readonly uses: number;
  readonly inserted: number;
}

/**
 * A KV pool that evicts idle blocks by rank, one by one, instead of by prefix (`cache/blockCache.ts` says what the orders mean).
 * A block's rank changes when a request uses it: at admission where it was found, when it is computed where it was not.
 *
 * The cached set is not closed under prefixes. A block whose head was evicted cannot be used: it is stranded until a request
 * comes that computes the head again, and with it the block itself. That request takes the stranded block's memory over
 * before it evicts anything else, so that the order of evictions is that of one flat stream of blocks:
 *
 *   cached    · 1 2 3     a request for 0 1 2 3 finds no prefix, evicts for 0, and computes 1 2 3 anew where they lie
 */
export class RankedPool extends KvPool {
  private readonly order: RankedOrder;
  /** Per reference of the traffic, where its block is used next; only belady reads it. */
  private readonly nextUse: Float64Array;
  private readonly heap = new RankHeap(0);
  private uses = new Float64Array(0);
  private inserted = new Float64Array(0);
  private clock = 0;
  private readonly adopted = new Map<number, Adopted>();

  constructor(total: Blocks, order: RankedOrder, nextUse: Float64Array) {
    super(total);
    this.order = order;
    this.nextUse = nextUse;
  }

  override hold(ids: Int32Array, from: number, count: Blocks): void {
    for (let i = from; i < from + count; i++) {
      const slot = this.find(ids[i] ?? none);
      this.addRef(slot);
      this.touch(slot, i, i - from);
    }
  }

  override reserve(ids: Int32Array, from: number, to: number, hit: Blocks, fresh: Blocks): void {
    this.hold(ids, from, hit);
    let left = fresh;
    for (let i = from + hit; i < to && left > 0; i++, left--) {
      const slot = this.find(ids[i] ?? none);
      if (slot !== none && this.slotRefs[slot] === 0) this.adopt(slot);
      else this.take(1);
    }
    if (left > 0) this.take(left);
  }

  /** An idle block becomes the requester's own, to be computed again. */
  private adopt(slot: number): void {
    this.unlink(slot);
    this.idle--;
    this.taken++;
    this.stranded++;
    const id = this.slotId[slot] ?? none;
    this.adopted.set(id, { uses: this.uses[slot] ?? 0, inserted: this.inserted[slot] ?? 0 });
    this.forget(slot);
  }

  override publish(id: number, ref = 0, position = 0): void {
    const present = this.find(id) !== none;
    super.publish(id);
    const slot = this.find(id);
    if (!present) {
      const before = this.adopted.get(id);
      this.uses[slot] = before?.uses ?? 0;
      this.inserted[slot] = before?.inserted ?? this.clock;
      if (before !== undefined) this.adopted.delete(id);
    }
    this.touch(slot, ref, position);
  }

  /** A request uses the block of `slot`: the `ref`-th reference of the traffic, at `position` in its prompt. */
  private touch(slot: number, ref: number, position: number): void {
    const { heap } = this;
    this.uses[slot] = (this.uses[slot] ?? 0) + 1;
    heap.lastUse[slot] = this.clock;
    heap.second[slot] = this.order === 'length-aware' ? -position : 0;
    heap.rank[slot] = this.rankOf(slot, ref);
    this.clock++;
  }

  private rankOf(slot: number, ref: number): number {
    const { order } = this;
    switch (order) {
      case 'lru':
        return this.clock;
      case 'fifo':
        return this.inserted[slot] ?? 0;
      case 'lfu':
      case 'length-aware':
        return this.uses[slot] ?? 0;
      case 'belady':
        return -(this.nextUse[ref] ?? 0);
      default: {
        const never: never = order;
        return never;
      }
    }
  }

  override clear(): void {
    while (this.heap.size > 0) this.heap.remove(this.heap.top);
    this.adopted.clear();
    super.clear();
  }

  protected override link(slot: number): void {
    this.heap.add(slot);
  }
  protected override unlink(slot: number): void {
    this.heap.remove(slot);
  }
  protected override get victim(): number {
    return this.heap.top;
  }
  protected override get linked(): number {
    return this.heap.size;
  }

  protected override growSlots(): void {
    super.growSlots();
    const size = this.slotId.length;
    this.heap.grow(size);
    const uses = new Float64Array(size);
    uses.set(this.uses);
    this.uses = uses;
    const inserted = new Float64Array(size);
    inserted.set(this.inserted);
    this.inserted = inserted;
  }
}
