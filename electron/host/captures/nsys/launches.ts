import { enclosingRanges } from './kernelRanges.ts';
import type { CallEvents, RangeEvents } from './nsysReport.ts';

/** The launch call of each kernel by process and correlation id, and the range around it. */
export function launchesOf(
  rows: number,
  pid: Float64Array,
  correlation: Float64Array,
  calls: CallEvents,
  ranges: RangeEvents,
) {
  // Correlation ids are unique per process; a kernel of a process that recorded no calls finds none.
  const callOf = new Map<number, Map<number, number>>();
  for (let i = 0; i < calls.rows; i += 1) {
    const process = calls.pid[i] ?? Number.NaN;
    const ids = callOf.get(process) ?? new Map<number, number>();
    callOf.set(process, ids);
    const id = calls.correlation[i] ?? Number.NaN;
    if (!Number.isNaN(id)) ids.set(id, i);
  }
  const rangeOfCall = enclosingRanges(calls, ranges);
  const launchStartNs = new Float64Array(rows).fill(Number.NaN);
  const launchEndNs = new Float64Array(rows).fill(Number.NaN);
  const range = new Float64Array(rows).fill(-1);
  for (let i = 0; i < rows; i += 1) {
    const call = callOf.get(pid[i] ?? Number.NaN)?.get(correlation[i] ?? Number.NaN);
    if (call === undefined) continue;
    launchStartNs[i] = calls.startNs[call] ?? Number.NaN;
    launchEndNs[i] = calls.endNs[call] ?? Number.NaN;
    range[i] = rangeOfCall[call] ?? -1;
  }
  return { launchStartNs, launchEndNs, range };
}
