import type { Blocks } from '../units.ts';

/**
 * Which physical block holds which part of which sequence, for an instance whose KV cache is real memory. `KvPool` counts blocks
 * and knows prefix ids; here each of them has a number 0 .. total − 1.
 *
 *   request 7   [12, 12 and 13 are prefix blocks that others use too]
 *     table      12  13  40  41          shared 2 (found by id), own 2 (its prompt's tail, its answer)
 *   publish(7, 2, id)                    block 40 is found by id from now on; where another request published the id first,
 *                                        the table takes that block and 40 is free again
 */
export class BlockTables {
  readonly total: Blocks;
  private readonly freeBlocks: Int32Array;
  /** Number of blocks in `freeBlocks`. */
  free: Blocks;
  private readonly ofId = new Map<number, number>();
  private readonly tables = new Map<number, number[]>();

  constructor(total: Blocks) {
    this.total = total;
    this.free = total;
    // The last entry is taken first: blocks are handed out from 0 on.
    this.freeBlocks = Int32Array.from({ length: total }, (_, i) => total - 1 - i);
  }

  /** Blocks of r in the order of its tokens; empty where it holds none. */
  of(r: number): readonly number[] {
    return this.tables.get(r) ?? [];
  }

  private take(): number {
    if (this.free === 0) throw new Error(`block tables: all ${this.total} blocks are in use`);
    this.free--;
    return this.freeBlocks[this.free] ?? 0;
  }

  private give(block: number): void {
    this.freeBlocks[this.free++] = block;
  }

  /** r holds the first `hit` blocks of ids[from ..), which are here, and blocks of its own up to `count`. */
  admit(r: number, ids: Int32Array, from: number, hit: Blocks, count: Blocks): void {
    const table: number[] = [];
    for (let i = 0; i < hit; i++) {
      const block = this.ofId.get(ids[from + i] ?? -1);
      if (block === undefined) throw new Error(`block tables: prefix block ${ids[from + i]} is not here`);
      table.push(block);
    }
    while (table.length < count) table.push(this.take());
    this.tables.set(r, table);
  }

  /** r holds at least `count` blocks. */
  grow(r: number, count: Blocks): readonly number[] {
    const table = this.tables.get(r);
    if (table === undefined) throw new Error(`block tables: request ${r} holds no blocks`);
    while (table.length < count) table.push(this.take());
    return table;
  }

  /** Block `index` of r is computed and found by `id` from now on. */
  publish(r: number, index: number, id: number): void {
    const table = this.tables.get(r);
    const own = table?.[index];
    if (table === undefined || own === undefined) return;
    const known = this.ofId.get(id);
    if (known === undefined) this.ofId.set(id, own);
    else if (known !== own) {
      table[index] = known;
      this.give(own);
    }
  }

  /** r gives its blocks back; the first `shared` of them stay, found by their ids. */
  release(r: number, shared: Blocks): void {
    const table = this.tables.get(r);
    if (table === undefined) return;
    for (let i = table.length - 1; i >= shared; i--) this.give(table[i] ?? 0);
    this.tables.delete(r);
  }

  /** The block of `id` was evicted from the pool. */
  dropped(id: number): void {
    const block = this.ofId.get(id);
    if (block === undefined) return;
    this.ofId.delete(id);
    this.give(block);
  }

  /** All that was there is gone. */
  clear(): void {
    this.tables.clear();
    this.ofId.clear();
    this.free = this.total;
    for (let i = 0; i < this.total; i++) this.freeBlocks[i] = this.total - 1 - i;
  }
}

/** Moves the KV cache of a request between instances whose memory is real. */
export interface KvCarrier {
  /** Copies; `done` is called once, with the time at which everything was there. The first `skip` blocks are there already. */
  carry(
    move: {
      readonly request: number;
      readonly from: number;
      readonly to: number;
      readonly source: readonly number[];
      readonly target: readonly number[];
      readonly skip: Blocks;
    },
    done: (at: number) => void,
  ): void;
}
