/** Which decoding request ends at which pass: a binary heap by (pass, request). */
export class FinishQueue {
  private pass: Float64Array;
  private request: Int32Array;
  length = 0;

  constructor(capacity: number) {
    this.pass = new Float64Array(capacity);
    this.request = new Int32Array(capacity);
  }

  /** Pass of the next end; Infinity where nothing decodes. */
  get next(): number {
    return this.length === 0 ? Number.POSITIVE_INFINITY : (this.pass[0] ?? 0);
  }

  private less(a: number, b: number): boolean {
    const pa = this.pass[a] ?? 0;
    const pb = this.pass[b] ?? 0;
    return pa < pb || (pa === pb && (this.request[a] ?? 0) < (this.request[b] ?? 0));
  }

  private swap(a: number, b: number): void {
    const p = this.pass[a] ?? 0;
    const r = this.request[a] ?? 0;
    this.pass[a] = this.pass[b] ?? 0;
    this.request[a] = this.request[b] ?? 0;
    this.pass[b] = p;
    this.request[b] = r;
  }

  private up(from: number): void {
    for (let i = from; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.less(i, parent)) return;
      this.swap(i, parent);
      i = parent;
    }
  }

  private down(from: number): void {
    for (let i = from; ; ) {
      const left = 2 * i + 1;
      if (left >= this.length) return;
      const right = left + 1;
      const child = right < this.length && this.less(right, left) ? right : left;
      if (!this.less(child, i)) return;
      this.swap(i, child);
      i = child;
    }
  }

  push(pass: number, request: number): void {
    if (this.length === this.pass.length) {
      const passes = new Float64Array(this.length * 2 + 8);
      const requests = new Int32Array(this.length * 2 + 8);
      passes.set(this.pass);
      requests.set(this.request);
      this.pass = passes;
      this.request = requests;
    }
    this.pass[this.length] = pass;
    this.request[this.length] = request;
    this.up(this.length++);
  }

  private removeAt(i: number): void {
    this.length--;
    if (i === this.length) return;
    this.swap(i, this.length);
    this.down(i);
    this.up(i);
  }

  pop(): number {
    const request = this.request[0] ?? -1;
    this.removeAt(0);
    return request;
  }

  /** A request that leaves before its end (preempted, moved): rare, so it is looked for. */
  remove(request: number): void {
    for (let i = 0; i < this.length; i++) {
      if (this.request[i] === request) {
        this.removeAt(i);
        return;
      }
    }
  }
}
