import type { Blocks, Ns } from '../../units.ts';

const none = -1;

/**
 * The blocks that one memory below HBM holds, found by id, the least recently used given up first. A block can be read
 * from `readyNs` on, when its transfer down is over, and is not given up while it is being read.
 */
export class TierStore {
  readonly capacity: Blocks;
  size: Blocks = 0;
  /** Blocks that ever came in, and that were given up. */
  inserted = 0;
  removed = 0;
  private readonly slotOf = new Map<number, number>();
  private ids = new Int32Array(16);
  private readyNs = new Float64Array(16);
  private readUntilNs = new Float64Array(16);
  private older = new Int32Array(16);
  private newer = new Int32Array(16);
  private slots = 0;
  private unused = none;
  private oldest = none;
  private newest = none;

  constructor(capacity: Blocks) {
    this.capacity = capacity;
  }

  get free(): Blocks {
    return this.capacity - this.size;
  }

  /** The block is here, or on its way here. */
  has(id: number): boolean {
    return this.slotOf.has(id);
  }

  /** The block can be read at t. */
  readable(id: number, t: Ns): boolean {
    const slot = this.slotOf.get(id);
    return slot !== undefined && (this.readyNs[slot] ?? 0) <= t;
  }

  /** The block, which is here, becomes the most recently used. */
  touch(id: number): void {
    const slot = this.slotOf.get(id);
    if (slot === undefined || slot === this.newest) return;
    this.unlink(slot);
    this.append(slot);
  }

  /** The block, which is here, is read until `until`. */
  read(id: number, until: Ns): void {
    const slot = this.slotOf.get(id);
    if (slot === undefined) return;
    this.readUntilNs[slot] = Math.max(this.readUntilNs[slot] ?? 0, until);
    this.touch(id);
  }

  /** Gives up the least recently used block that is not being read at t; −1 where there is none. */
  giveUp(t: Ns): number {
    for (let slot = this.oldest; slot !== none; slot = this.newer[slot] ?? none) {
      if ((this.readUntilNs[slot] ?? 0) > t) continue;
      const id = this.ids[slot] ?? none;
      this.unlink(slot);
      this.slotOf.delete(id);
      this.newer[slot] = this.unused;
      this.unused = slot;
      this.size--;
      this.removed++;
      return id;
    }
    return none;
  }

  /** A block that is not here comes in, readable from `readyNs` on; there is room for it. */
  insert(id: number, readyNs: Ns): void {
    let slot = this.unused;
    if (slot !== none) this.unused = this.newer[slot] ?? none;
    else {
      slot = this.slots++;
      if (slot === this.ids.length) this.grow();
    }
    this.ids[slot] = id;
    this.readyNs[slot] = readyNs;
    this.readUntilNs[slot] = 0;
    this.slotOf.set(id, slot);
    this.append(slot);
    this.size++;
    this.inserted++;
  }

  /** The memory is gone with what was in it; how many blocks that were. */
  clear(): Blocks {
    const lost = this.size;
    this.removed += lost;
    this.size = 0;
    this.slotOf.clear();
    this.slots = 0;
    this.unused = none;
    this.oldest = none;
    this.newest = none;
    return lost;
  }

  private append(slot: number): void {
    this.older[slot] = this.newest;
    this.newer[slot] = none;
    if (this.newest === none) this.oldest = slot;
    else this.newer[this.newest] = slot;
    this.newest = slot;
  }

  private unlink(slot: number): void {
    const older = this.older[slot] ?? none;
    const newer = this.newer[slot] ?? none;
    if (older === none) this.oldest = newer;
    else this.newer[older] = newer;
    if (newer === none) this.newest = older;
    else this.older[newer] = older;
  }

  private grow(): void {
    const size = this.ids.length * 2;
    const integers = (old: Int32Array) => {
      const larger = new Int32Array(size);
      larger.set(old);
      return larger;
    };
    const times = (old: Float64Array) => {
      const larger = new Float64Array(size);
      larger.set(old);
      return larger;
    };
    this.ids = integers(this.ids);
    this.older = integers(this.older);
    this.newer = integers(this.newer);
    this.readyNs = times(this.readyNs);
    this.readUntilNs = times(this.readUntilNs);
  }

  /** For tests: the counts agree with the lists. Throws where they do not. */
  check(): void {
    let listed = 0;
    for (let slot = this.oldest; slot !== none; slot = this.newer[slot] ?? none) listed++;
    if (listed !== this.size || this.slotOf.size !== this.size || this.size > this.capacity) {
      throw new Error(
        `tier: ${listed} listed, ${this.slotOf.size} found, ${this.size} of ${this.capacity} counted`,
      );
    }
    if (this.inserted - this.removed !== this.size) {
      throw new Error(`tier: ${this.inserted} came in, ${this.removed} went, ${this.size} are here`);
    }
  }
}
