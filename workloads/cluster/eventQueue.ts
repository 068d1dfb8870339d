import type { Ns } from '../units.ts';

/**
 * Future events in order of (time, kind, insertion): a total order, so that a run never depends on how a heap happens to
 * settle ties. A 4-ary heap in typed arrays, time and order side by side so that four children lie in one or two cache
 * lines; an event is a kind and two integers.
 */
export class EventQueue {
  /** Per event: time, and kind × 2^44 + sequence number, exact in a double. */
  private keys = new Float64Array(128);
  private payload = new Int32Array(128);
  private sequence = 0;
  length = 0;

  // The event that `pop` took out.
  kind = 0;
  at: Ns = 0;
  first = 0;
  second = 0;

  /** Time of the next event; Infinity where there is none. */
  get next(): Ns {
    return this.length === 0 ? Number.POSITIVE_INFINITY : (this.keys[0] ?? 0);
  }
  get nextKind(): number {
    return this.length === 0 ? Number.POSITIVE_INFINITY : Math.floor((this.keys[1] ?? 0) / kindUnit);
  }

  push(at: Ns, kind: number, first: number, second = 0): void {
    if (2 * this.length === this.keys.length) this.grow();
    const keys = this.keys;
    const order = kind * kindUnit + this.sequence++;
    let i = this.length++;
    while (i > 0) {
      const parent = (i - 1) >> 2;
      const t = keys[2 * parent] ?? 0;
      if (t < at || (t === at && (keys[2 * parent + 1] ?? 0) < order)) break;
      this.move(parent, i);
      i = parent;
    }
    this.put(i, at, order, first, second);
  }

  /** Takes the next event out, into kind, at, first and second. */
  pop(): void {
    const keys = this.keys;
    this.at = keys[0] ?? 0;
    this.kind = Math.floor((keys[1] ?? 0) / kindUnit);
    this.first = this.payload[0] ?? 0;
    this.second = this.payload[1] ?? 0;
    const last = --this.length;
    if (last === 0) return;
    const at = keys[2 * last] ?? 0;
    const order = keys[2 * last + 1] ?? 0;
    let i = 0;
    for (;;) {
      const from = 4 * i + 1;
      if (from >= last) break;
      const to = Math.min(from + 4, last);
      let child = from;
      let t = keys[2 * from] ?? 0;
      for (let c = from + 1; c < to; c++) {
        const tc = keys[2 * c] ?? 0;
        if (tc < t || (tc === t && (keys[2 * c + 1] ?? 0) < (keys[2 * child + 1] ?? 0))) {
          child = c;
          t = tc;
        }
      }
      if (t > at || (t === at && (keys[2 * child + 1] ?? 0) > order)) break;
      this.move(child, i);
      i = child;
    }
    this.put(i, at, order, this.payload[2 * last] ?? 0, this.payload[2 * last + 1] ?? 0);
  }

  private move(from: number, to: number): void {
    this.keys[2 * to] = this.keys[2 * from] ?? 0;
    this.keys[2 * to + 1] = this.keys[2 * from + 1] ?? 0;
    this.payload[2 * to] = this.payload[2 * from] ?? 0;
    this.payload[2 * to + 1] = this.payload[2 * from + 1] ?? 0;
  }

  private put(i: number, at: Ns, order: number, first: number, second: number): void {
    this.keys[2 * i] = at;
    this.keys[2 * i + 1] = order;
    this.payload[2 * i] = first;
    this.payload[2 * i + 1] = second;
  }

  private grow(): void {
    const keys = new Float64Array(this.keys.length * 2);
    const payload = new Int32Array(this.payload.length * 2);
    keys.set(this.keys);
    payload.set(this.payload);
    this.keys = keys;
    this.payload = payload;
  }
}

const kindUnit = 17592186044416;
