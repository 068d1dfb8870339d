/**
 * A cache of KV blocks that sees one flat stream of block references, each request's from head to tail. A miss evicts one
 * block when the cache is full, then inserts. Block ids are dense, so all bookkeeping is arrays indexed by id.
 */
export interface BlockCache {
  has(id: number): boolean;
  /** One reference: block `id`, at `position` in its request, the `ref`-th of the stream. True for a hit. */
  use(id: number, position: number, ref: number): boolean;
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
export type RankedOrder = 'lfu' | 'length-aware' | 'belady';

/**
 * Evicts by rank, with an indexed heap of the cached blocks, the next victim on top.
 *
 *   lfu           uses since insertion
 *   length-aware  uses since insertion, then the larger position in the request
 *   belady        the farthest next use; needs to know the future
 */
export class RankedCache implements BlockCache {
  readonly #order: RankedOrder;
  readonly #capacity: number;
  readonly #nextUse: Float64Array;
  readonly #rank: Float64Array;
  readonly #second: Int32Array;
  readonly #lastUse: Int32Array;
  readonly #heap: Int32Array;
  /** Place of each block in the heap, −1 where it is not cached. */
  readonly #place: Int32Array;
  #size = 0;
  evictions = 0;

  /** `nextUse[ref]`: where in the stream the same block is used next, Infinity for never; only belady reads it. */
  constructor(uniqueBlocks: number, capacity: number, order: RankedOrder, nextUse: Float64Array) {
    this.#order = order;
    this.#capacity = capacity;
    this.#nextUse = nextUse;
    this.#rank = new Float64Array(uniqueBlocks);
    this.#second = new Int32Array(uniqueBlocks);
    this.#lastUse = new Int32Array(uniqueBlocks);
    this.#heap = new Int32Array(Math.min(capacity, uniqueBlocks));
    this.#place = new Int32Array(uniqueBlocks).fill(-1);
  }

  has(id: number): boolean {
    return (this.#place[id] ?? -1) >= 0;
  }

  use(id: number, position: number, ref: number): boolean {
    const hit = this.has(id);
    if (!hit) {
      if (this.#size >= this.#capacity) this.#evict();
      this.#rank[id] = 0;
      this.#place[id] = this.#size;
      this.#heap[this.#size++] = id;
    }
    this.#rank[id] = this.#order === 'belady' ? -(this.#nextUse[ref] ?? 0) : (this.#rank[id] ?? 0) + 1;
    this.#second[id] = this.#order === 'length-aware' ? -position : 0;
    this.#lastUse[id] = ref;
    // A new or changed block may belong on either side.
    this.#up(this.#place[id] ?? 0);
    this.#down(this.#place[id] ?? 0);
    return hit;
  }

  #evict(): void {
    const victim = this.#heap[0] ?? 0;
    const last = this.#heap[--this.#size] ?? 0;
    this.#place[victim] = -1;
    this.evictions++;
    if (this.#size === 0) return;
    this.#heap[0] = last;
    this.#place[last] = 0;
    this.#down(0);
  }

  #before(a: number, b: number): boolean {
    const rankA = this.#rank[a] ?? 0;
    const rankB = this.#rank[b] ?? 0;
    if (rankA !== rankB) return rankA < rankB;
    const secondA = this.#second[a] ?? 0;
    const secondB = this.#second[b] ?? 0;
    if (secondA !== secondB) return secondA < secondB;
    return (this.#lastUse[a] ?? 0) < (this.#lastUse[b] ?? 0);
  }

  #up(from: number): void {
    const id = this.#heap[from] ?? 0;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#heap[parent] ?? 0;
      if (!this.#before(id, above)) break;
      this.#heap[at] = above;
      this.#place[above] = at;
      at = parent;
    }
    this.#heap[at] = id;
    this.#place[id] = at;
  }

  #down(from: number): void {
    const id = this.#heap[from] ?? 0;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#before(this.#heap[child + 1] ?? 0, this.#heap[child] ?? 0)) child++;
      const below = this.#heap[child] ?? 0;
      if (!this.#before(below, id)) break;
      this.#heap[at] = below;
      this.#place[below] = at;
      at = child;
    }
    this.#heap[at] = id;
    this.#place[id] = at;
  }
}
