import type { Ns } from '../units.ts';

/**
 * Future events in order of (time, kind, insertion): a total order, so that a run never depends on how a heap happens to
 * settle ties. A 4-ary heap in typed arrays; an event is a kind and two integers.
 */
export class EventQueue {
  private time = new Float64Array(64);
  /** kind × 2^44 + sequence number: exact in a double. */
  private order = new Float64Array(64);
  private a = new Int32Array(64);
  private b = new Int32Array(64);
  private sequence = 0;
  length = 0;

  // The event that `pop` took out.
  kind = 0;
  at: Ns = 0;
  first = 0;
  second = 0;

  /** Time of the next event; Infinity where there is none. */
  get next(): Ns {
    return this.length === 0 ? Number.POSITIVE_INFINITY : (this.time[0] ?? 0);
  }
  get nextKind(): number {
    return this.length === 0 ? Number.POSITIVE_INFINITY : Math.floor((this.order[0] ?? 0) / kindUnit);
  }

  push(at: Ns, kind: number, first: number, second = 0): void {
    if (this.length === this.time.length) this.grow();
    const order = kind * kindUnit + this.sequence++;
    let i = this.length++;
    while (i > 0) {
      const parent = (i - 1) >> 2;
      const t = this.time[parent] ?? 0;
      if (t < at || (t === at && (this.order[parent] ?? 0) < order)) break;
      this.move(parent, i);
      i = parent;
    }
    this.put(i, at, order, first, second);
  }

  /** Takes the next event out, into kind, at, first and second. */
  pop(): void {
    this.at = this.time[0] ?? 0;
    this.kind = Math.floor((this.order[0] ?? 0) / kindUnit);
    this.first = this.a[0] ?? 0;
    this.second = this.b[0] ?? 0;
    const last = --this.length;
    if (last === 0) return;
    const at = this.time[last] ?? 0;
    const order = this.order[last] ?? 0;
    let i = 0;
    for (;;) {
      const from = 4 * i + 1;
      if (from >= last) break;
      const to = Math.min(from + 4, last);
      let child = from;
      for (let c = from + 1; c < to; c++) {
        const tc = this.time[c] ?? 0;
        const tb = this.time[child] ?? 0;
        if (tc < tb || (tc === tb && (this.order[c] ?? 0) < (this.order[child] ?? 0))) child = c;
      }
      const t = this.time[child] ?? 0;
      if (t > at || (t === at && (this.order[child] ?? 0) > order)) break;
      this.move(child, i);
      i = child;
    }
    this.put(i, at, order, this.a[last] ?? 0, this.b[last] ?? 0);
  }

  private move(from: number, to: number): void {
    this.put(to, this.time[from] ?? 0, this.order[from] ?? 0, this.a[from] ?? 0, this.b[from] ?? 0);
  }

  private put(i: number, at: Ns, order: number, first: number, second: number): void {
    this.time[i] = at;
    this.order[i] = order;
    this.a[i] = first;
    this.b[i] = second;
  }

  private grow(): void {
    const size = this.time.length * 2;
    const time = new Float64Array(size);
    const order = new Float64Array(size);
    const a = new Int32Array(size);
    const b = new Int32Array(size);
    time.set(this.time);
    order.set(this.order);
    a.set(this.a);
    b.set(this.b);
    this.time = time;
    this.order = order;
    this.a = a;
    this.b = b;
  }
}

const kindUnit = 17592186044416;
