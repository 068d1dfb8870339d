// Callbacks at due times on the monotonic clock. setTimeout alone fires up to a millisecond early or late, so the last
// stretch before a due time is passed in setImmediate turns: callbacks run within about 0.05 ms of it on an idle core.

/** Milliseconds of CLOCK_MONOTONIC, the clock that every process of this machine shares. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

interface Entry {
  readonly due: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** A time before a due time that is passed without sleeping. */
const spinMs = 1.3;

export class DueTimers {
  private readonly heap: Entry[] = [];
  private order = 0;
  private sleeping: NodeJS.Timeout | undefined;
  private spinning: NodeJS.Immediate | undefined;

  /** Runs `run` at `due` (ms, monotonic), or in the next turn where that has passed. Returns a function that cancels it. */
  at(due: number, run: () => void): () => void {
    const entry: Entry = { due, order: this.order++, run, cancelled: false };
    this.push(entry);
    this.arm();
    return () => {
      entry.cancelled = true;
    };
  }

  stop(): void {
    this.heap.length = 0;
    clearTimeout(this.sleeping);
    clearImmediate(this.spinning);
    this.sleeping = undefined;
    this.spinning = undefined;
  }

  private arm(): void {
    const first = this.heap[0];
    if (first === undefined) return;
    const wait = first.due - nowMs();
    clearTimeout(this.sleeping);
    this.sleeping = undefined;
    if (wait > spinMs) this.sleeping = setTimeout(() => this.arm(), wait - spinMs);
    else this.spinning ??= setImmediate(() => this.turn());
  }

  private turn(): void {
    this.spinning = undefined;
    for (let first = this.heap[0]; first !== undefined && first.due <= nowMs(); first = this.heap[0]) {
      this.pop();
      if (!first.cancelled) first.run();
    }
    this.arm();
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let i = heap.length;
    heap.push(entry);
    for (let parent = (i - 1) >> 1; i > 0; parent = (i - 1) >> 1) {
      const above = heap[parent];
      if (above === undefined || isBefore(above, entry)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      const left = heap[2 * i + 1];
      const right = heap[2 * i + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right, left);
      const child = isRight ? right : left;
      if (isBefore(last, child)) break;
      heap[i] = child;
      i = 2 * i + (isRight ? 2 : 1);
    }
    heap[i] = last;
  }
}

const isBefore = (a: Entry, b: Entry): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);
