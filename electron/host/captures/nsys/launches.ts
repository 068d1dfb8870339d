import { rowsById } from './growingColumn.ts';
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
  const callOf = callsByProcess(calls);
  const rangeOfCall = enclosingRanges(calls, ranges);
  const launchStartNs = new Float64Array(rows).fill(Number.NaN);
  const launchEndNs = new Float64Array(rows).fill(Number.NaN);
  const range = new Float64Array(rows).fill(-1);
  for (let i = 0; i < rows; i += 1) {
    const call = callOf(pid[i] ?? Number.NaN, correlation[i] ?? Number.NaN);
    if (call === undefined) continue;
    launchStartNs[i] = calls.startNs[call] ?? Number.NaN;
    launchEndNs[i] = calls.endNs[call] ?? Number.NaN;
    range[i] = rangeOfCall[call] ?? -1;
  }
  return { launchStartNs, launchEndNs, range };
}

/** The row of a call by process and correlation id. */
function callsByProcess({
  pid,
  correlation,
}: CallEvents): (process: number, id: number) => number | undefined {
  const [first] = pid;
  if (pid.every((process) => process === first)) {
    const callOf = rowsById(correlation);
    return (process, id) => (process === first ? callOf(id) : undefined);
  }
  const callOf = new Map<number, Map<number, number>>();
  correlation.forEach((id, row) => {
    const process = pid[row] ?? Number.NaN;
    const ids = callOf.get(process) ?? new Map<number, number>();
    callOf.set(process, ids);
    if (!Number.isNaN(id)) ids.set(id, row);
  });
  return (process, id) => callOf.get(process)?.get(id);
}
