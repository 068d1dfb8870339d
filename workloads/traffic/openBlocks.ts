/** Requests with more blocks than this are looked through by a set. */
const few = 48;

/** The block ids of the request that is being read, each of them once. */
export class OpenBlocks {
  private readonly list: (number | string)[] = [];
  private set: Set<number | string> | undefined;
  count = 0;

  /** False where the request has the id already; `maybe` says that it may have, an id that is new in the trace cannot. */
  add(id: number | string, maybe: boolean): boolean {
    if (maybe && this.has(id)) return false;
    if (this.count === few) this.set = new Set(this.list.slice(0, few));
    if (this.count < few) this.list[this.count] = id;
    this.set?.add(id);
    this.count++;
    return true;
  }

  clear(): void {
    this.count = 0;
    this.set = undefined;
  }

  private has(id: number | string): boolean {
    if (this.set !== undefined) return this.set.has(id);
    for (let i = 0; i < this.count; i++) if (this.list[i] === id) return true;
    return false;
  }
}
