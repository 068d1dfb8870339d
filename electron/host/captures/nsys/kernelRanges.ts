import type { RangeEvents } from './nsysReport.ts';

/**
 * Nesting of push/pop ranges, and which range a launch call belongs to. Ranges come sorted by start, outer before inner
 * at equal starts; one stack per thread walks them:
 *
 *     thread 7   |---- decode ------------------|
 *                   |-- attention --|  |- mlp -|
 *     launches        ^a               ^b         ^c        a → attention, b → mlp, c → decode
 */
const pushPop = 59;

/** Nesting of each range on its thread. */
export function rangeDepths(ranges: Omit<RangeEvents, 'depth'>): Float64Array {
  const depth = new Float64Array(ranges.rows);
  const openEnds = new Map<string, number[]>();
  for (let i = 0; i < ranges.rows; i += 1) {
    if (ranges.kind[i] !== pushPop) continue;
    const thread = `${ranges.pid[i]}/${ranges.tid[i]}`;
    const stack = openEnds.get(thread) ?? [];
    openEnds.set(thread, stack);
    const start = ranges.startNs[i] ?? 0;
    while (stack.length > 0 && (stack.at(-1) ?? 0) <= start) stack.pop();
    depth[i] = stack.length;
    stack.push(ranges.endNs[i] ?? start);
  }
  return depth;
}

export interface Calls {
  readonly rows: number;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
  readonly pid: Float64Array;
  readonly tid: Float64Array;
}

/** For each call (sorted by start): the row of the innermost push/pop range on its thread that encloses it, or -1. */
export function enclosingRanges(calls: Calls, ranges: RangeEvents): Float64Array {
  const rangesOf = new Map<string, number[]>();
  for (let i = 0; i < ranges.rows; i += 1) {
    if (ranges.kind[i] !== pushPop) continue;
    const thread = `${ranges.pid[i]}/${ranges.tid[i]}`;
    const rows = rangesOf.get(thread);
    if (rows === undefined) rangesOf.set(thread, [i]);
    else rows.push(i);
  }
  const walks = new Map<string, { next: number; readonly open: number[] }>();
  const out = new Float64Array(calls.rows).fill(-1);
  for (let i = 0; i < calls.rows; i += 1) {
    const thread = `${calls.pid[i]}/${calls.tid[i]}`;
    const rows = rangesOf.get(thread);
    if (rows === undefined) continue;
    const walk = walks.get(thread) ?? { next: 0, open: [] };
    walks.set(thread, walk);
    const start = calls.startNs[i] ?? 0;
    const end = calls.endNs[i] ?? start;
    for (
      let row = rows[walk.next];
      row !== undefined && (ranges.startNs[row] ?? 0) <= start;
      row = rows[walk.next]
    ) {
      while (walk.open.length > 0 && endOf(ranges, walk.open.at(-1)) <= (ranges.startNs[row] ?? 0))
        walk.open.pop();
      walk.open.push(row);
      walk.next += 1;
    }
    while (walk.open.length > 0 && endOf(ranges, walk.open.at(-1)) <= start) walk.open.pop();
    // The innermost may end within the call; then an outer one encloses it.
    for (let k = walk.open.length - 1; k >= 0; k -= 1) {
      if (endOf(ranges, walk.open[k]) >= end) {
        out[i] = walk.open[k] ?? -1;
        break;
      }
    }
  }
  return out;
}

const endOf = (ranges: RangeEvents, row: number | undefined): number =>
  row === undefined ? 0 : (ranges.endNs[row] ?? 0);
