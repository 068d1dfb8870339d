import type { RequestTable } from './requestTable.ts';

/** The requests in one instance's batch, oldest first: a list through columns of the request table. */
export class RunningList {
  length = 0;
  /** −1 where empty; follow `runAfter` of the request table from the first to the rest. */
  first = -1;
  last = -1;
  private readonly before: Int32Array;
  private readonly after: Int32Array;

  constructor(requests: RequestTable) {
    this.before = requests.runBefore;
    this.after = requests.runAfter;
  }

  append(r: number): void {
    this.before[r] = this.last;
    this.after[r] = -1;
    if (this.last < 0) this.first = r;
    else this.after[this.last] = r;
    this.last = r;
    this.length++;
  }

  remove(r: number): void {
    const before = this.before[r] ?? -1;
    const after = this.after[r] ?? -1;
    if (before < 0) this.first = after;
    else this.after[before] = after;
    if (after < 0) this.last = before;
    else this.before[after] = before;
    this.length--;
  }
}
