import type { Ns } from '../../../../workloads/units.ts';
import type { EventLinks, TimelineEvent } from '../../../contract/captures.ts';
import type { NsysReport } from './nsysReport.ts';
import type { TimelineRow } from './timelineRows.ts';

/** More events than these are counted, not listed. */
const mostListed = 200;

/**
 * The events that belong to the one of `lane` from `startNs` to `endNs`, by correlation id:
 *
 *     range    |------ attention ------|       of a kernel: its launch call, and the range around that call
 *     launch      |=|                          of a launch call: its kernels, and the range around it
 *     kernel            |========|             of a range: the launch calls in it and their kernels
 *
 * Undefined where the lane holds no such event. Copies and system calls have no links.
 */
export function linkedEvents(
  report: NsysReport,
  lanes: readonly TimelineRow[],
  lane: number,
  startNs: Ns,
  endNs: Ns,
): EventLinks | undefined {
  const row = lanes[lane];
  if (row === undefined) return undefined;
  const at = indexOf(row, startNs, endNs);
  const event = row.event[at];
  if (event === undefined) return undefined;
  const found = {
    kernel: () => ofKernel(report, event),
    api: () => ofCall(report, event),
    range: () => ofRange(report, event),
    copy: () => [],
    os: () => [],
  }[row.kind]();
  const kernels = found.filter(({ kind }) => kind === 'kernel');
  const place = places(lanes, new Set(found.map(({ kind }) => kind)));
  const linked = found
    .slice(0, mostListed)
    .flatMap(({ kind, event: row }) => {
      const shown = place(kind, row);
      return shown === undefined ? [] : [eventOf(report, lanes, shown.lane, shown.index)];
    })
    .sort((a, b) => order[a.kind] - order[b.kind] || a.startNs - b.startNs);
  return {
    chosen: eventOf(report, lanes, lane, at),
    linked,
    kernels: kernels.length,
    kernelNs: kernels.reduce(
      (sum, { event: k }) => sum + (report.kernels.endNs[k] ?? 0) - (report.kernels.startNs[k] ?? 0),
      0,
    ),
  };
}

type LinkKind = 'range' | 'api' | 'kernel';
interface Link {
  readonly kind: LinkKind;
  readonly event: number;
}
const order = { range: 0, api: 1, kernel: 2, copy: 3, os: 4 } as const;

export function eventOf(
  { names }: NsysReport,
  lanes: readonly TimelineRow[],
  lane: number,
  index: number,
): TimelineEvent {
  const row = lanes[lane];
  const startNs = row?.startNs[index] ?? 0;
  return {
    kind: row?.kind ?? 'os',
    lane,
    startNs,
    endNs: row?.endNs[index] ?? startNs,
    name: names[row?.name[index] ?? -1] ?? '',
  };
}

/** The first event of the lane from `startNs` to `endNs`, −1 where there is none; starts are sorted. */
function indexOf(row: TimelineRow, startNs: Ns, endNs: Ns): number {
  let low = 0;
  let high = row.startNs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((row.startNs[middle] ?? 0) < startNs) low = middle + 1;
    else high = middle;
  }
  for (let i = low; row.startNs[i] === startNs; i += 1) if (row.endNs[i] === endNs) return i;
  return -1;
}

/** Where the timeline draws an event; undefined where its lane is beyond those that are drawn. */
function places(lanes: readonly TimelineRow[], kinds: ReadonlySet<TimelineRow['kind']>) {
  const found = new Map<string, { readonly lane: number; readonly index: number }>();
  lanes.forEach((row, lane) => {
    if (!kinds.has(row.kind)) return;
    row.event.forEach((event, index) => {
      found.set(`${row.kind} ${event}`, { lane, index });
    });
  });
  return (kind: LinkKind, event: number) => found.get(`${kind} ${event}`);
}

function ofKernel({ kernels, apiCalls }: NsysReport, kernel: number): Link[] {
  const launchNs = kernels.launchStartNs[kernel] ?? Number.NaN;
  const range = kernels.range[kernel] ?? -1;
  const links: Link[] = range < 0 ? [] : [{ kind: 'range', event: range }];
  for (let call = 0; call < apiCalls.rows; call += 1) {
    if (
      apiCalls.startNs[call] === launchNs &&
      apiCalls.correlation[call] === kernels.correlation[kernel] &&
      apiCalls.pid[call] === kernels.pid[kernel]
    )
      links.push({ kind: 'api', event: call });
  }
  return links;
}

function ofCall({ kernels, apiCalls }: NsysReport, call: number): Link[] {
  const links: Link[] = [];
  const ranges = new Set<number>();
  for (let kernel = 0; kernel < kernels.rows; kernel += 1) {
    if (
      kernels.launchStartNs[kernel] !== apiCalls.startNs[call] ||
      kernels.correlation[kernel] !== apiCalls.correlation[call] ||
      kernels.pid[kernel] !== apiCalls.pid[call]
    )
      continue;
    links.push({ kind: 'kernel', event: kernel });
    const range = kernels.range[kernel] ?? -1;
    if (range >= 0) ranges.add(range);
  }
  return [...[...ranges].map((event): Link => ({ kind: 'range', event })), ...links];
}

function ofRange({ kernels, ranges, apiCalls }: NsysReport, range: number): Link[] {
  const isWithin = (inner: number): boolean =>
    inner === range ||
    (inner >= 0 &&
      ranges.pid[inner] === ranges.pid[range] &&
      ranges.tid[inner] === ranges.tid[range] &&
      (ranges.startNs[inner] ?? 0) >= (ranges.startNs[range] ?? 0) &&
      (ranges.endNs[inner] ?? 0) <= (ranges.endNs[range] ?? 0));
  const launches = new Map<string, number>();
  const links: Link[] = [];
  for (let kernel = 0; kernel < kernels.rows; kernel += 1) {
    if (!isWithin(kernels.range[kernel] ?? -1)) continue;
    links.push({ kind: 'kernel', event: kernel });
    launches.set(`${kernels.pid[kernel]} ${kernels.correlation[kernel]}`, kernel);
  }
  const calls: Link[] = [];
  for (let call = 0; call < apiCalls.rows && launches.size > 0; call += 1) {
    const kernel = launches.get(`${apiCalls.pid[call]} ${apiCalls.correlation[call]}`);
    if (kernel !== undefined && kernels.launchStartNs[kernel] === apiCalls.startNs[call])
      calls.push({ kind: 'api', event: call });
  }
  // Each list alone may be longer than what is shown: neither hides the other.
  return [...calls.slice(0, mostListed / 2), ...links];
}
