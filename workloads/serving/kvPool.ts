import type { Blocks, Ns } from '../units.ts';
import type { BlockTables } from './blockTables.ts';

const none = -1;

/** Receives the ids of blocks that become findable in a pool, and of those that are evicted. */
export interface PoolJournal {
  added(id: number): void;
  dropped(id: number): void;
  /** All that was there is gone. */
  cleared(): void;
  /** Lower bound on the time of the next entries; the instance may lag behind the global clock. */
  notBefore(t: Ns): void;
}

/**
 * Paged KV memory of one instance. A block is in one of four states:
 *
 *   free ──take──► own (one request's: being computed, or generated tokens)
 *    ▲               │ publish: computed, and other requests may use it
 *    │ evict         ▼
 *   idle ◄──release── shared (held by one request or more)
 *     └─────hold──────►┘
 *
 * Published blocks are found by id. A request releases its blocks from the tail to the head, so a block is always older
 * in the eviction order than the one before it in its prompt: the cache stays closed under prefixes, and dropping the least
 * recently used block never leaves a hole. A block computed by two requests at once is kept once.
 */
export class KvPool {
  readonly total: Blocks;
  /** Holding nothing. */
  free: Blocks;
  /** Holding a published block without a user: can be taken at any time. */
  idle: Blocks = 0;
  evictions = 0;
  /** Blocks found behind a missing one, cached in vain: none where the cache is closed under prefixes. */
  stranded = 0;
  /** Receives the ids of evicted blocks, in order; undefined where there are no lower tiers. */
  evicted: number[] | undefined = undefined;
  /** Undefined when no index follows the cache. */
  journal: PoolJournal | undefined = undefined;
  /** Numbers of the physical blocks; undefined where blocks are only counted. */
  tables: BlockTables | undefined = undefined;
  /** Blocks ever taken: what was given back last is the last to be taken again. */
  taken = 0;

  // Published blocks: one slot each, grown on demand.
  protected slotId = new Int32Array(0);
  protected slotRefs = new Int32Array(0);
  private older = new Int32Array(0);
  private newer = new Int32Array(0);
  private unusedSlot = none;
  private slots = 0;
  private oldest = none;
  private newest = none;
  // Open addressing: id -> slot.
  private keys = new Int32Array(16).fill(none);
  private values = new Int32Array(16);
  private mask = 15;
  private published = 0;

  constructor(total: Blocks) {
    this.total = total;
    this.free = total;
  }

  /** Blocks that can be taken now. */
  get available(): Blocks {
    return this.free + this.idle;
  }

  /** Blocks that requests hold. */
  get used(): Blocks {
    return this.total - this.free - this.idle;
  }

  protected find(id: number): number {
    const mask = this.mask;
    let at = Math.imul(id, 0x9e3779b1) >>> 7;
    for (;;) {
      at &= mask;
      const key = this.keys[at];
      if (key === id) return this.values[at] ?? none;
      if (key === none) return none;
      at++;
    }
  }

  /** The block is here, wherever in its prompt. */
  has(id: number): boolean {
    return this.find(id) !== none;
  }

  /** How many leading ids of ids[from .. to) are here. Changes nothing. */
  match(ids: Int32Array, from: number, to: number): Blocks {
    if (this.published === 0) return 0;
    let at = from;
    while (at < to && this.find(ids[at] ?? none) !== none) at++;
    return at - from;
  }

  /** How many of the first `count` ids are idle: holding them makes that many blocks unavailable. */
  idleAmong(ids: Int32Array, from: number, count: Blocks): Blocks {
    let n = 0;
    for (let i = from; i < from + count; i++) {
      if (this.slotRefs[this.find(ids[i] ?? none)] === 0) n++;
    }
    return n;
  }

  /** Uses the first `count` ids, which are here. */
  hold(ids: Int32Array, from: number, count: Blocks): void {
    for (let i = from; i < from + count; i++) this.addRef(this.find(ids[i] ?? none));
  }

  protected addRef(slot: number): void {
    const refs = this.slotRefs[slot] ?? 0;
    this.slotRefs[slot] = refs + 1;
    if (refs === 0) {
      this.unlink(slot);
      this.idle--;
    }
  }

  /**
   * What a request with the ids[from .. to) needs: the first `hit` of them, which are here, and `fresh` blocks for the
   * rest of them and for what has no id.
   */
  reserve(ids: Int32Array, from: number, _to: number, hit: Blocks, fresh: Blocks): void {
    this.hold(ids, from, hit);
    this.take(fresh);
  }

  /** Takes `count` blocks, dropping idle ones where no free one is left; `available` ≥ count was checked before. */
  take(count: Blocks): void {
    const free = this.free;
    this.taken += count;
    if (count <= free) {
      this.free = free - count;
      return;
    }
    this.free = 0;
    for (let missing = count - free; missing > 0; missing--) this.evict();
  }

  /** Gives back `count` own blocks. */
  give(count: Blocks): void {
    this.free += count;
  }

  /**
   * An own block was computed: from now on it is shared, held by its owner. It is the `ref`-th block reference of the
   * traffic, at `position` in its prompt: pools that rank their blocks want to know.
   */
  publish(id: number, _ref?: number, _position?: number): void {
    const present = this.find(id);
    if (present !== none) {
      this.addRef(present);
      this.free++;
      return;
    }
    let slot = this.unusedSlot;
    if (slot !== none) this.unusedSlot = this.newer[slot] ?? none;
    else {
      slot = this.slots++;
      if (slot >= this.slotId.length) this.growSlots();
    }
    this.slotId[slot] = id;
    this.slotRefs[slot] = 1;
    this.insert(id, slot);
  }

  /** Ends the use of the first `count` ids, tail first. */
  release(ids: Int32Array, from: number, count: Blocks): void {
    for (let i = from + count - 1; i >= from; i--) {
      const slot = this.find(ids[i] ?? none);
      const refs = (this.slotRefs[slot] ?? 0) - 1;
      this.slotRefs[slot] = refs;
      if (refs === 0) {
        this.link(slot);
        this.idle++;
      }
    }
  }

  /** Everything is lost: all blocks are free, and nothing is found any more. */
  clear(): void {
    this.free = this.total;
    this.idle = 0;
    this.keys.fill(none);
    this.published = 0;
    this.slots = 0;
    this.unusedSlot = none;
    this.oldest = none;
    this.newest = none;
    if (this.journal !== undefined) this.journal.cleared();
    if (this.tables !== undefined) this.tables.clear();
  }

  private evict(): void {
    const slot = this.victim;
    this.unlink(slot);
    this.idle--;
    this.evictions++;
    if (this.evicted !== undefined) this.evicted.push(this.slotId[slot] ?? none);
    this.forget(slot);
  }

  /** The block of `slot` cannot be found any more. */
  protected forget(slot: number): void {
    this.remove(this.slotId[slot] ?? none);
    this.newer[slot] = this.unusedSlot;
    this.unusedSlot = slot;
  }

  /** The idle block to be dropped next. */
  protected get victim(): number {
    return this.oldest;
  }

  /** Puts an idle block last in the order of eviction. */
  protected link(slot: number): void {
    this.older[slot] = this.newest;
    this.newer[slot] = none;
    if (this.newest === none) this.oldest = slot;
    else this.newer[this.newest] = slot;
    this.newest = slot;
  }

  protected unlink(slot: number): void {
    const older = this.older[slot] ?? none;
    const newer = this.newer[slot] ?? none;
    if (older === none) this.oldest = newer;
    else this.newer[older] = newer;
    if (newer === none) this.newest = older;
    else this.older[newer] = older;
  }

  protected growSlots(): void {
    const size = Math.max(16, Math.min(this.total, this.slotId.length * 2));
    this.slotId = enlarged(this.slotId, size);
    this.slotRefs = enlarged(this.slotRefs, size);
    this.older = enlarged(this.older, size);
    this.newer = enlarged(this.newer, size);
  }

  private insert(id: number, slot: number): void {
    if (2 * (this.published + 1) > this.mask) this.rehash();
    let at = (Math.imul(id, 0x9e3779b1) >>> 7) & this.mask;
    while (this.keys[at] !== none) at = (at + 1) & this.mask;
    this.keys[at] = id;
    this.values[at] = slot;
    this.published++;
    if (this.journal !== undefined) this.journal.added(id);
  }

  private rehash(): void {
    const keys = this.keys;
    const values = this.values;
    const size = keys.length * 2;
    this.keys = new Int32Array(size).fill(none);
    this.values = new Int32Array(size);
    this.mask = size - 1;
    for (let i = 0; i < keys.length; i++) {
      const id = keys[i] ?? none;
      if (id === none) continue;
      let at = (Math.imul(id, 0x9e3779b1) >>> 7) & this.mask;
      while (this.keys[at] !== none) at = (at + 1) & this.mask;
      this.keys[at] = id;
      this.values[at] = values[i] ?? none;
    }
  }

  /** Deletes with backward shift: no tombstones, look-ups stay short for ever. */
  private remove(id: number): void {
    const mask = this.mask;
    let hole = (Math.imul(id, 0x9e3779b1) >>> 7) & mask;
    while (this.keys[hole] !== id) hole = (hole + 1) & mask;
    this.published--;
    if (this.journal !== undefined) this.journal.dropped(id);
    if (this.tables !== undefined) this.tables.dropped(id);
    let at = hole;
    for (;;) {
      at = (at + 1) & mask;
      const key = this.keys[at] ?? none;
      if (key === none) break;
      const home = (Math.imul(key, 0x9e3779b1) >>> 7) & mask;
      // The entry may move into the hole unless its home lies between the hole (not included) and itself.
      if (((at - home) & mask) >= ((at - hole) & mask)) {
        this.keys[hole] = key;
        this.values[hole] = this.values[at] ?? none;
        hole = at;
      }
    }
    this.keys[hole] = none;
  }

  /** Blocks in the order of eviction, counted one by one. */
  protected get linked(): Blocks {
    let listed = 0;
    for (let slot = this.oldest; slot !== none; slot = this.newer[slot] ?? none) listed++;
    return listed;
  }

  /** For tests: every invariant, checked the slow way. Throws where one is broken. */
  check(own: Blocks): void {
    let held = 0;
    let idle = 0;
    for (let i = 0; i < this.keys.length; i++) {
      if ((this.keys[i] ?? none) === none) continue;
      const refs = this.slotRefs[this.values[i] ?? none] ?? -1;
      if (refs < 0) throw new Error(`block ${this.keys[i]} has ${refs} holders`);
      if (refs === 0) idle++;
      else held++;
    }
    if (held + idle !== this.published)
      throw new Error(`${held + idle} blocks in the index, ${this.published} counted`);
    if (idle !== this.idle) throw new Error(`${idle} idle blocks, ${this.idle} counted`);
    const listed = this.linked;
    if (listed !== idle) throw new Error(`${listed} blocks in the eviction order, ${idle} idle`);
    if (this.free + idle + held + own !== this.total || this.free < 0) {
      throw new Error(
        `${this.free} free + ${idle} idle + ${held} shared + ${own} own blocks are not ${this.total}`,
      );
    }
  }
}

function enlarged(old: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(size);
  larger.set(old);
  return larger;
}
