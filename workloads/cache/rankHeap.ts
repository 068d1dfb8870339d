/**
 * What can be evicted, the next victim on top: the smallest rank, then the smallest second rank, then the least recently used.
 * Entries are dense integers, so all bookkeeping is columns indexed by them; ranks are written before an entry is added,
 * and stay with it when it is taken out.
 */
export class RankHeap {
  rank: Float64Array;
  second: Int32Array;
  lastUse: Float64Array;
  size = 0;
  private heap: Int32Array;
  /** Place of each entry in the heap, −1 where it is not there. */
  private place: Int32Array;

  constructor(entries: number) {
    this.rank = new Float64Array(entries);
    this.second = new Int32Array(entries);
    this.lastUse = new Float64Array(entries);
    this.heap = new Int32Array(entries);
    this.place = new Int32Array(entries).fill(-1);
  }

  /** Room for entries up to `entries` − 1. */
  grow(entries: number): void {
    const old = this.place.length;
    this.rank = enlarged(this.rank, new Float64Array(entries));
    this.second = enlarged(this.second, new Int32Array(entries));
    this.lastUse = enlarged(this.lastUse, new Float64Array(entries));
    this.heap = enlarged(this.heap, new Int32Array(entries));
    this.place = enlarged(this.place, new Int32Array(entries));
    this.place.fill(-1, old);
  }

  has(entry: number): boolean {
    return (this.place[entry] ?? -1) >= 0;
  }

  /** The next victim, −1 where there is none. */
  get top(): number {
    return this.size === 0 ? -1 : (this.heap[0] ?? -1);
  }

  add(entry: number): void {
    this.place[entry] = this.size;
    this.heap[this.size] = entry;
    this.up(this.size++);
  }

  remove(entry: number): void {
    const at = this.place[entry] ?? -1;
    const last = this.heap[--this.size] ?? 0;
    this.place[entry] = -1;
    if (last === entry) return;
    this.heap[at] = last;
    this.place[last] = at;
    this.moved(last);
  }

  /** The ranks of an entry changed: it may belong on either side. */
  moved(entry: number): void {
    this.up(this.place[entry] ?? 0);
    this.down(this.place[entry] ?? 0);
  }

  private before(a: number, b: number): boolean {
    const rankA = this.rank[a] ?? 0;
    const rankB = this.rank[b] ?? 0;
    if (rankA !== rankB) return rankA < rankB;
    const secondA = this.second[a] ?? 0;
    const secondB = this.second[b] ?? 0;
    if (secondA !== secondB) return secondA < secondB;
    return (this.lastUse[a] ?? 0) < (this.lastUse[b] ?? 0);
  }

  private up(from: number): void {
    const entry = this.heap[from] ?? 0;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.heap[parent] ?? 0;
      if (!this.before(entry, above)) break;
      this.heap[at] = above;
      this.place[above] = at;
      at = parent;
    }
    this.heap[at] = entry;
    this.place[entry] = at;
  }

  private down(from: number): void {
    const entry = this.heap[from] ?? 0;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.before(this.heap[child + 1] ?? 0, this.heap[child] ?? 0)) child++;
      const below = this.heap[child] ?? 0;
      if (!this.before(below, entry)) break;
      this.heap[at] = below;
      this.place[below] = at;
      at = child;
    }
    this.heap[at] = entry;
    this.place[entry] = at;
  }
}

function enlarged<Column extends Int32Array | Float64Array>(old: Column, larger: Column): Column {
  larger.set(old);
  return larger;
}
