import type { Fraction, Ns } from '../../../../workloads/units.ts';
import type { KernelEvents, NsysReport } from './nsysReport.ts';

/**
 * When a GPU worked and when it waited. Intervals are half-open and sorted by start; overlapping ones count once:
 *
 *     stream 1   |=====|      |====|
 *     stream 2      |=====|
 *     busy       ##########   ######      idle = the gap; a bubble has a length and a reason
 */
export interface Intervals {
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

/** Disjoint, sorted intervals that cover the same time. */
export function union(intervals: Intervals): Intervals {
  const starts: number[] = [];
  const ends: number[] = [];
  for (let i = 0; i < intervals.startNs.length; i += 1) {
    const start = intervals.startNs[i] ?? 0;
    const end = intervals.endNs[i] ?? start;
    const last = ends.length - 1;
    if (last >= 0 && start <= (ends[last] ?? 0)) {
      if (end > (ends[last] ?? 0)) ends[last] = end;
    } else if (end > start) {
      starts.push(start);
      ends.push(end);
    }
  }
  return { startNs: Float64Array.from(starts), endNs: Float64Array.from(ends) };
}

export function length(disjoint: Intervals): Ns {
  let sum = 0;
  for (let i = 0; i < disjoint.startNs.length; i += 1)
    sum += (disjoint.endNs[i] ?? 0) - (disjoint.startNs[i] ?? 0);
  return sum;
}

/** Time that both cover; each disjoint and sorted. */
export function commonTime(a: Intervals, b: Intervals): Ns {
  let sum = 0;
  let i = 0;
  let j = 0;
  while (i < a.startNs.length && j < b.startNs.length) {
    const from = Math.max(a.startNs[i] ?? 0, b.startNs[j] ?? 0);
    const to = Math.min(a.endNs[i] ?? 0, b.endNs[j] ?? 0);
    if (to > from) sum += to - from;
    if ((a.endNs[i] ?? 0) < (b.endNs[j] ?? 0)) i += 1;
    else j += 1;
  }
  return sum;
}

/** Time in which at least two of the intervals (sorted by start) run at once. */
export function timeAtLeastTwo(intervals: Intervals): Ns {
  // The two latest ends so far: where a start lies before the second one, … only the overlap with the running maximum counts.
  let reached = Number.NEGATIVE_INFINITY;
  let counted = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (let i = 0; i < intervals.startNs.length; i += 1) {
    const start = intervals.startNs[i] ?? 0;
    const end = intervals.endNs[i] ?? start;
    const to = Math.min(end, reached);
    const from = Math.max(start, counted);
    if (to > from) {
      sum += to - from;
      counted = to;
    }
    if (end > reached) reached = end;
  }
  return sum;
}

/**
 * Why the GPU was idle before a kernel, as HolisticTraceAnalysis splits it: `host`: the next kernel had not been launched
 * yet when the GPU fell idle; `kernel`: it was waiting, and the gap is no longer than the usual hand-over; `other`: it was
 * waiting longer (an event, a copy, another stream); `unknown`: its launch call was not recorded.
 */
export type BubbleCause = 'host' | 'kernel' | 'other' | 'unknown';

export interface Bubble {
  readonly startNs: Ns;
  readonly endNs: Ns;
  readonly cause: BubbleCause;
  /** The kernel that ended it, a row of `kernels`. */
  readonly nextKernel: number;
}

/** The usual gap between consecutive kernels of one stream: 1.2–2.2 µs on an H200 (sample capture), so anything up to 3 µs. */
export const handOverNs: Ns = 3_000;

export interface DeviceActivity {
  readonly device: number;
  /** From the first kernel's start to the last one's end. */
  readonly startNs: Ns;
  readonly endNs: Ns;
  readonly busyNs: Ns;
  /** busy + idle = end − start. Copies do not count as busy. */
  readonly idleNs: Ns;
  readonly idleByCause: Readonly<Record<BubbleCause, Ns>>;
  /** Share of busy time with two or more kernels at once; 0 where nothing ran. */
  readonly concurrentKernels: Fraction;
  /** Share of the time in copies during which a kernel ran too; absent without copies. */
  readonly copiesHidden?: Fraction;
  /** Share of the time in communication kernels (NCCL) during which another kernel ran too; absent without any. */
  readonly communicationHidden?: Fraction;
  /** The longest first, at most `keepBubbles`. */
  readonly bubbles: readonly Bubble[];
}

const keepBubbles = 200;
const isCommunication = (name: string): boolean =>
  /nccl|all_?reduce|all_?to_?all|all_?gather|reduce_?scatter/i.test(name);

export function deviceActivity(report: NsysReport): DeviceActivity[] {
  const { kernels, copies } = report;
  const devices = [...new Set(kernels.device)].sort((a, b) => a - b);
  return devices.map((device) => {
    const rows = rowsWhere(kernels.rows, (i) => kernels.device[i] === device);
    const all = pick(kernels, rows);
    const busy = union(all);
    const startNs = busy.startNs[0] ?? 0;
    const endNs = busy.endNs.at(-1) ?? 0;
    const busyNs = length(busy);
    const bubbles = bubblesOf(kernels, rows);
    const idleByCause = { host: 0, kernel: 0, other: 0, unknown: 0 };
    for (const bubble of bubbles) idleByCause[bubble.cause] += bubble.endNs - bubble.startNs;
    const copied = union(
      pick(
        copies,
        rowsWhere(copies.rows, (i) => copies.device[i] === device),
      ),
    );
    const talks = rows.filter((i) => isCommunication(report.names[kernels.name[i] ?? -1] ?? ''));
    const talking = union(pick(kernels, talks));
    const talkRows = new Set(talks);
    const computing = union(
      pick(
        kernels,
        rows.filter((i) => !talkRows.has(i)),
      ),
    );
    return {
      device,
      startNs,
      endNs,
      busyNs,
      idleNs: endNs - startNs - busyNs,
      idleByCause,
      concurrentKernels: busyNs > 0 ? timeAtLeastTwo(all) / busyNs : 0,
      ...(length(copied) > 0 ? { copiesHidden: commonTime(copied, busy) / length(copied) } : {}),
      ...(length(talking) > 0
        ? { communicationHidden: commonTime(talking, computing) / length(talking) }
        : {}),
      bubbles: bubbles
        .sort((a, b) => b.endNs - b.startNs - (a.endNs - a.startNs) || a.startNs - b.startNs)
        .slice(0, keepBubbles),
    };
  });
}

function rowsWhere(rows: number, is: (row: number) => boolean): number[] {
  const out: number[] = [];
  for (let i = 0; i < rows; i += 1) if (is(i)) out.push(i);
  return out;
}

const pick = (events: Intervals, rows: readonly number[]): Intervals => ({
  startNs: Float64Array.from(rows, (i) => events.startNs[i] ?? 0),
  endNs: Float64Array.from(rows, (i) => events.endNs[i] ?? 0),
});

function bubblesOf(kernels: KernelEvents, rows: readonly number[]): Bubble[] {
  const out: Bubble[] = [];
  let reached = Number.NaN;
  for (const i of rows) {
    const start = kernels.startNs[i] ?? 0;
    if (start > reached)
      out.push({ startNs: reached, endNs: start, cause: causeOf(kernels, i, reached), nextKernel: i });
    const end = kernels.endNs[i] ?? start;
    if (!(end <= reached)) reached = end;
  }
  return out;
}

function causeOf(kernels: KernelEvents, next: number, idleFrom: Ns): BubbleCause {
  const launched = kernels.launchStartNs[next] ?? Number.NaN;
  if (Number.isNaN(launched)) return 'unknown';
  if (launched > idleFrom) return 'host';
  return (kernels.startNs[next] ?? 0) - idleFrom <= handOverNs ? 'kernel' : 'other';
}
