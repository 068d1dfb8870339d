import { BlockList } from './blockCache.ts';

/**
 * The cache of one serving instance (`lru-prefix`): a request is matched as a whole first, then its blocks are touched and
 * inserted from tail to head, so that a block is always more recent than those that follow it and the cached set stays
 * prefix-closed: what is evicted is the end of the oldest prefix, as in a radix tree that evicts its oldest leaf.
 *
 *   request  0 1 2 3        recency after it:  3 < 2 < 1 < 0      the next eviction takes 3, then 2 …
 */
export class PrefixCache {
  readonly #list: BlockList;
  readonly #capacity: number;
  evictions = 0;

  constructor(uniqueBlocks: number, capacity: number) {
    this.#list = new BlockList(uniqueBlocks);
    this.#capacity = capacity;
  }

  /** Blocks in it. */
  get size(): number {
    return this.#list.size;
  }

  /** How many leading blocks of ids[from..to) are cached. */
  prefix(ids: Int32Array, from: number, to: number): number {
    let at = from;
    while (at < to && this.#list.has(ids[at] ?? 0)) at++;
    return at - from;
  }

  /** How many of the blocks ids[from..to) are cached, leading or not. */
  cached(ids: Int32Array, from: number, to: number): number {
    let count = 0;
    for (let at = from; at < to; at++) if (this.#list.has(ids[at] ?? 0)) count++;
    return count;
  }

  /** The request's own blocks are in use while it is stored: none of them is evicted for another one of it before it is touched. */
  store(ids: Int32Array, from: number, to: number): void {
    const list = this.#list;
    for (let at = from; at < to; at++) {
      const id = ids[at] ?? 0;
      if (list.has(id)) list.remove(id);
    }
    for (let at = to - 1; at >= from; at--) {
      const id = ids[at] ?? 0;
      if (list.has(id)) list.remove(id);
      else if (list.size >= this.#capacity) {
        list.remove(list.oldest);
        this.evictions++;
      }
      list.append(id);
    }
  }
}
