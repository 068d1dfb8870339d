import { RankHeap } from './rankHeap.ts';

/**
 * A cache of KV blocks that sees one flat stream of block references, each request's from head to tail. A miss evicts one
 * block when the cache is full, then inserts. Block ids are dense, so all bookkeeping is arrays indexed by id.
 */
export interface BlockCache {
  has(id: number): boolean;
  /** One reference: block `id`, at `position` in its request, the `ref`-th of the stream. True for a hit. */
  use(id: number, position: number, ref: number): boolean;
  /** The request whose blocks were used is over; only caches that pin them care. */
  endRequest?(): void;
  readonly evictions: number;
}

/** Blocks in a ring through a sentinel: the oldest after it, the newest before it. */
export class BlockList {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #sentinel: number;
  size = 0;

  constructor(uniqueBlocks: number) {
    this.#next = new Int32Array(uniqueBlocks + 1).fill(-1);
    this.#previous = new Int32Array(uniqueBlocks + 1).fill(-1);
    this.#sentinel = uniqueBlocks;
    this.#next[uniqueBlocks] = uniqueBlocks;
    this.#previous[uniqueBlocks] = uniqueBlocks;
  }

  has(id: number): boolean {
    return this.#next[id] !== -1;
  }

  /** The block that came in first; only when there is one. */
  get oldest(): number {
    return this.#next[this.#sentinel] ?? -1;
  }

  append(id: number): void {
    const newest = this.#previous[this.#sentinel] ?? 0;
    this.#next[newest] = id;
    this.#previous[id] = newest;
    this.#next[id] = this.#sentinel;
    this.#previous[this.#sentinel] = id;
    this.size++;
  }

  remove(id: number): void {
    const next = this.#next[id] ?? 0;
    const previous = this.#previous[id] ?? 0;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    this.#next[id] = -1;
    this.size--;
  }
}

/** Evicts the block that was used (`lru`) or inserted (`fifo`) longest ago. */
export class ListCache implements BlockCache {
  readonly #list: BlockList;
  readonly #capacity: number;
  readonly #touches: boolean;
  evictions = 0;

  constructor(uniqueBlocks: number, capacity: number, order: 'lru' | 'fifo') {
    this.#list = new BlockList(uniqueBlocks);
    this.#capacity = capacity;
    this.#touches = order === 'lru';
  }

  has(id: number): boolean {
    return this.#list.has(id);
  }

  use(id: number): boolean {
    const list = this.#list;
    const hit = list.has(id);
    if (hit) {
      if (!this.#touches) return true;
      list.remove(id);
    } else if (list.size >= this.#capacity) {
      list.remove(list.oldest);
      this.evictions++;
    }
    list.append(id);
    return hit;
  }
}

/** What a ranked cache evicts first: the smallest rank, then the smallest second rank, then the least recently used. */
export type RankedOrder = 'lru' | 'fifo' | 'lfu' | 'length-aware' | 'belady';

/**
 * Evicts by rank.
 *
 *   lru           last use
 *   fifo          insertion
 *   lfu           uses since insertion
 *   length-aware  uses since insertion, then the larger position in the request
 *   belady        the farthest next use; needs to know the future
 *
 * Pinned, a block that the current request uses cannot be evicted before `endRequest`: as in serving, where it is in use.
 */
export class RankedCache implements BlockCache {
  readonly #order: RankedOrder;
  readonly #capacity: number;
  readonly #nextUse: Float64Array;
  readonly #heap: RankHeap;
  readonly #cached: Uint8Array;
  readonly #pinned: boolean;
  readonly #inUse: number[] = [];
  #size = 0;
  evictions = 0;

  /** `nextUse[ref]`: where in the stream the same block is used next, Infinity for never; only belady reads it. */
  constructor(
    uniqueBlocks: number,
    capacity: number,
    order: RankedOrder,
    nextUse: Float64Array,
    pinned = false,
  ) {
    this.#order = order;
    this.#capacity = capacity;
    this.#nextUse = nextUse;
    this.#heap = new RankHeap(uniqueBlocks);
    this.#cached = new Uint8Array(uniqueBlocks);
    this.#pinned = pinned;
  }

  has(id: number): boolean {
    return this.#cached[id] === 1;
  }

  use(id: number, position: number, ref: number): boolean {
    const heap = this.#heap;
    const hit = this.has(id);
    if (!hit) {
      if (this.#size >= this.#capacity) this.#evict();
      heap.rank[id] = this.#order === 'fifo' ? ref : 0;
      this.#cached[id] = 1;
      this.#size++;
    } else if (this.#pinned && heap.has(id)) heap.remove(id);
    if (this.#order === 'belady') heap.rank[id] = -(this.#nextUse[ref] ?? 0);
    else if (this.#order === 'lru') heap.rank[id] = ref;
    else if (this.#order !== 'fifo') heap.rank[id] = (heap.rank[id] ?? 0) + 1;
    heap.second[id] = this.#order === 'length-aware' ? -position : 0;
    heap.lastUse[id] = ref;
    if (this.#pinned) this.#inUse.push(id);
    else if (heap.has(id)) heap.moved(id);
    else heap.add(id);
    return hit;
  }

  endRequest(): void {
    for (const id of this.#inUse) if (!this.#heap.has(id)) this.#heap.add(id);
    this.#inUse.length = 0;
  }

  #evict(): void {
    const victim = this.#heap.top;
    if (victim < 0) throw new RangeError('the cache is smaller than one request whose blocks are pinned');
    this.#heap.remove(victim);
    this.#cached[victim] = 0;
    this.#size--;
    this.evictions++;
  }
}
