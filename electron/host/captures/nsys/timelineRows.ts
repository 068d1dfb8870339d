import type { Fraction, Ns } from '../../../../workloads/units.ts';
import type { Intervals } from './activity.ts';
import type { NsysReport } from './nsysReport.ts';

/**
 * The rows that a timeline draws, top to bottom: NVTX ranges by thread and depth, CUDA calls by thread, kernels and copies
 * by device and stream, operating-system calls by thread. A row's events are sorted by start.
 */
export interface TimelineRow extends Intervals {
  readonly id: string;
  readonly label: string;
  readonly kind: 'range' | 'api' | 'kernel' | 'copy' | 'os';
  /** Index into `names`; -1 where the event has none (copies). */
  readonly name: Float64Array;
  /** Row of the report's table of that kind: `kernels`, `ranges`, `apiCalls`, `copies` or `osCalls`. */
  readonly event: Float64Array;
}

export function timelineRows(report: NsysReport): TimelineRow[] {
  const { ranges, apiCalls, kernels, copies, osCalls } = report;
  const noName = new Float64Array(copies.rows).fill(-1);
  return [
    ...split('range', ranges, ranges.name, (i) => [
      `thread ${ranges.tid[i]} of ${ranges.pid[i]} · NVTX ${ranges.depth[i]}`,
      [ranges.pid[i], ranges.tid[i], ranges.depth[i]],
    ]),
    ...split('api', apiCalls, apiCalls.name, (i) => [
      `thread ${apiCalls.tid[i]} of ${apiCalls.pid[i]} · CUDA calls`,
      [apiCalls.pid[i], apiCalls.tid[i]],
    ]),
    ...split('kernel', kernels, kernels.name, (i) => [
      `GPU ${kernels.device[i]} · stream ${kernels.stream[i]} · kernels`,
      [kernels.device[i], kernels.stream[i]],
    ]),
    ...split('copy', copies, noName, (i) => [
      `GPU ${copies.device[i]} · stream ${copies.stream[i]} · copies`,
      [copies.device[i], copies.stream[i]],
    ]),
    ...split('os', osCalls, osCalls.name, (i) => [
      `thread ${osCalls.tid[i]} of ${osCalls.pid[i]} · system calls`,
      [osCalls.pid[i], osCalls.tid[i]],
    ]),
  ];
}

function split(
  kind: TimelineRow['kind'],
  events: Intervals & { readonly rows: number },
  name: Float64Array,
  rowOf: (event: number) => readonly [label: string, sortKey: readonly (number | undefined)[]],
): TimelineRow[] {
  const rows = new Map<
    string,
    { readonly key: readonly (number | undefined)[]; readonly events: number[] }
  >();
  for (let i = 0; i < events.rows; i += 1) {
    const [label, key] = rowOf(i);
    const row = rows.get(label);
    if (row === undefined) rows.set(label, { key, events: [i] });
    else row.events.push(i);
  }
  const order = [...rows].sort(([, a], [, b]) => {
    for (let k = 0; k < a.key.length; k += 1) {
      const difference = (a.key[k] ?? 0) - (b.key[k] ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
  });
  return order.map(([label, row]) => ({
    id: `${kind}:${row.key.join(':')}`,
    label,
    kind,
    startNs: Float64Array.from(row.events, (i) => events.startNs[i] ?? 0),
    endNs: Float64Array.from(row.events, (i) => events.endNs[i] ?? 0),
    name: Float64Array.from(row.events, (i) => name[i] ?? -1),
    event: Float64Array.from(row.events),
  }));
}

/**
 * A row seen at `width` pixels between two times: each pixel's share of time that some event covers. A short event never
 * vanishes: its pixel is above 0, and a drawer gives every pixel above 0 at least one pixel of height.
 */
export function rowDensity(row: Intervals, fromNs: Ns, toNs: Ns, width: number): Float64Array {
  const density: Fraction[] = new Array<number>(width).fill(0);
  const perPixel = (toNs - fromNs) / width;
  if (!(perPixel > 0)) return new Float64Array(width);
  let covered = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.startNs.length; i += 1) {
    const start = Math.max(row.startNs[i] ?? 0, fromNs, covered);
    const end = Math.min(row.endNs[i] ?? 0, toNs);
    if ((row.startNs[i] ?? 0) >= toNs) break;
    if (end < start) continue;
    const first = Math.min(width - 1, Math.floor((start - fromNs) / perPixel));
    const last = Math.min(width - 1, Math.floor((end - fromNs) / perPixel));
    for (let pixel = first; pixel <= last; pixel += 1) {
      const from = Math.max(start, fromNs + pixel * perPixel);
      const to = Math.min(end, fromNs + (pixel + 1) * perPixel);
      density[pixel] = Math.min(1, (density[pixel] ?? 0) + Math.max(to - from, 0) / perPixel);
    }
    // An event of no length (a mark) still shows.
    if (density[first] === 0) density[first] = Number.EPSILON;
    covered = Math.max(covered, end);
  }
  return Float64Array.from(density);
}
