import type { Ns } from '../../../../workloads/units.ts';

/**
 * Rows for slices that may overlap, where a format wants slices of one row to nest and never to cross: each slice goes to the
 * first lane that is free at its start.
 *
 *     kernels of a stream   |====A====|            lane 0   |====A====| |==C==|
 *                                 |===B===|        lane 1         |===B===|
 *                                       |==C==|
 */
export class FlatLanes {
  /** Latest end in each lane. */
  readonly #ends: Ns[] = [];

  /** The lane for a slice; slices may come in any order. */
  take(start: Ns, end: Ns): number {
    let lane = 0;
    while (lane < this.#ends.length && start < (this.#ends[lane] ?? 0)) lane++;
    this.#ends[lane] = Math.max(end, start);
    return lane;
  }
}

/** Lanes in which a slice may lie inside another: calls and ranges of a thread. Slices must come by start, outer ones first. */
export class NestedLanes {
  /** Ends of the slices that are open in each lane, innermost last. */
  readonly #open: Ns[][] = [];

  take(start: Ns, end: Ns): number {
    for (let lane = 0; ; lane++) {
      const stack = this.#open[lane] ?? [];
      this.#open[lane] = stack;
      while (stack.length > 0 && (stack.at(-1) ?? 0) <= start) stack.pop();
      if (stack.length >= deepest || (stack.length > 0 && (stack.at(-1) ?? 0) < end)) continue;
      stack.push(end);
      return lane;
    }
  }
}

/** Perfetto drops what lies deeper than 512 slices. */
const deepest = 500;
