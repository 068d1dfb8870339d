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
  const startNs = new Float64Array(intervals.startNs.length);
  const endNs = new Float64Array(intervals.startNs.length);
  let rows = 0;
  for (let i = 0; i < intervals.startNs.length; i += 1) {
    const start = intervals.startNs[i] ?? 0;
    const end = intervals.endNs[i] ?? start;
    if (rows > 0 && start <= (endNs[rows - 1] ?? 0)) {
      if (end > (endNs[rows - 1] ?? 0)) endNs[rows - 1] = end;
    } else if (end > start) {
      startNs[rows] = start;
      endNs[rows] = end;
      rows += 1;
    }
  }
  return { startNs: startNs.subarray(0, rows), endNs: endNs.subarray(0, rows) };
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
    const startNs = all.startNs[0] ?? 0;
    const endNs = all.endNs.reduce((latest, end) => Math.max(latest, end), startNs);
    const busyNs = length(busy);
    const { idleByCause, bubbles } = bubblesOf(kernels, rows);
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
      bubbles,
    };
  });
}

function rowsWhere(rows: number, is: (row: number) => boolean): number[] {
  const out: number[] = [];
  for (let i = 0; i < rows; i += 1) if (is(i)) out.push(i);
  return out;
}

function pick(events: Intervals, rows: readonly number[]): Intervals {
  const startNs = new Float64Array(rows.length);
  const endNs = new Float64Array(rows.length);
  rows.forEach((row, i) => {
    startNs[i] = events.startNs[row] ?? 0;
    endNs[i] = events.endNs[row] ?? 0;
  });
  return { startNs, endNs };
}

/** The longest waits of each GPU between its kernels that overlap the time from `fromNs` to `toNs`, longest first. */
export function gapsWithin(
  kernels: KernelEvents,
  fromNs: Ns,
  toNs: Ns,
): (Bubble & { readonly device: number })[] {
  const devices = [...new Set(kernels.device)];
  return devices
    .flatMap((device) => {
      const rows = rowsWhere(kernels.rows, (i) => kernels.device[i] === device);
      return bubblesOf(kernels, rows, fromNs, toNs).bubbles.map((bubble) => ({ ...bubble, device }));
    })
    .sort((a, b) => b.endNs - b.startNs - (a.endNs - a.startNs) || a.startNs - b.startNs)
    .slice(0, keepBubbles);
}

/** Sums every bubble by cause and keeps the longest: there may be as many as kernels. */
function bubblesOf(
  kernels: KernelEvents,
  rows: readonly number[],
  fromNs = Number.NEGATIVE_INFINITY,
  toNs = Number.POSITIVE_INFINITY,
) {
  const idleByCause = { host: 0, kernel: 0, other: 0, unknown: 0 };
  let bubbles: Bubble[] = [];
  let shortestKept = 0;
  const longestFirst = (a: Bubble, b: Bubble) =>
    b.endNs - b.startNs - (a.endNs - a.startNs) || a.startNs - b.startNs;
  let reached = Number.NaN;
  for (const i of rows) {
    const start = kernels.startNs[i] ?? 0;
    if (start > reached && start > fromNs && reached < toNs) {
      const cause = causeOf(kernels, i, reached);
      idleByCause[cause] += start - reached;
      if (start - reached > shortestKept)
        bubbles.push({ startNs: reached, endNs: start, cause, nextKernel: i });
      if (bubbles.length >= 10 * keepBubbles) {
        bubbles = bubbles.sort(longestFirst).slice(0, keepBubbles);
        const last = bubbles.at(-1);
        shortestKept = last === undefined ? 0 : last.endNs - last.startNs;
      }
    }
    const end = kernels.endNs[i] ?? start;
    if (!(end <= reached)) reached = end;
  }
  return { idleByCause, bubbles: bubbles.sort(longestFirst).slice(0, keepBubbles) };
}

function causeOf(kernels: KernelEvents, next: number, idleFrom: Ns): BubbleCause {
  const launched = kernels.launchStartNs[next] ?? Number.NaN;
  // A launch call that began after its kernel: two clocks, or another correlation; it proves nothing.
  if (Number.isNaN(launched) || launched > (kernels.startNs[next] ?? 0)) return 'unknown';
  if (launched > idleFrom) return 'host';
  return (kernels.startNs[next] ?? 0) - idleFrom <= handOverNs ? 'kernel' : 'other';
}
