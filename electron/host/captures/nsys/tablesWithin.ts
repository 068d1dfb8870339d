import type { Ns } from '../../../../workloads/units.ts';
import type { TimelineTables } from '../../../contract/captures.ts';
import { gapsWithin } from './activity.ts';
import type { CopyEvents, NsysReport } from './nsysReport.ts';
import { type NamedEvents, summariseCopies, summariseNames } from './summaries.ts';

/** A window shows no more rows than these; the command line has them all. */
const longestTable = 500;

/**
 * The tables of the events that overlap the time from `fromNs` to `toNs`, each counted with its whole length:
 *
 *     events   |--a--|   |---b---|      |-c-|
 *     shown          ^ from         ^ to            b alone
 */
export function tablesWithin(report: NsysReport, fromNs: Ns, toNs: Ns): TimelineTables {
  const table = (events: NamedEvents) =>
    summariseNames(namedWithin(events, fromNs, toNs), report.names).slice(0, longestTable);
  return {
    kernels: table(report.kernels),
    ranges: table(report.ranges),
    apiCalls: table(report.apiCalls),
    osCalls: table(report.osCalls),
    copies: summariseCopies({ copies: copiesWithin(report.copies, fromNs, toNs) }),
    gaps: gapsWithin(report.kernels, fromNs, toNs).map(({ device, startNs, endNs, cause, nextKernel }) => ({
      device,
      startNs,
      endNs,
      cause,
      nextKernel: report.names[report.kernels.name[nextKernel] ?? -1] ?? 'unnamed',
    })),
  };
}

function overlapping(
  events: Pick<CopyEvents, 'rows' | 'startNs' | 'endNs'>,
  fromNs: Ns,
  toNs: Ns,
): readonly number[] {
  const rows: number[] = [];
  for (let i = 0; i < events.rows; i += 1) {
    const start = events.startNs[i] ?? 0;
    if (start > toNs) break;
    if ((events.endNs[i] ?? start) >= fromNs) rows.push(i);
  }
  return rows;
}

function namedWithin(events: NamedEvents, fromNs: Ns, toNs: Ns): NamedEvents {
  const rows = overlapping(events, fromNs, toNs);
  if (rows.length === events.rows) return events;
  const { depth } = events;
  return {
    rows: rows.length,
    startNs: Float64Array.from(rows, (i) => events.startNs[i] ?? 0),
    endNs: Float64Array.from(rows, (i) => events.endNs[i] ?? 0),
    name: Float64Array.from(rows, (i) => events.name[i] ?? -1),
    ...(depth === undefined ? {} : { depth: Float64Array.from(rows, (i) => depth[i] ?? 0) }),
  };
}

function copiesWithin(copies: CopyEvents, fromNs: Ns, toNs: Ns): CopyEvents {
  const rows = overlapping(copies, fromNs, toNs);
  const picked = (column: Float64Array) => Float64Array.from(rows, (i) => column[i] ?? Number.NaN);
  return {
    rows: rows.length,
    startNs: picked(copies.startNs),
    endNs: picked(copies.endNs),
    kind: picked(copies.kind),
    isSet: Uint8Array.from(rows, (i) => copies.isSet[i] ?? 0),
    bytes: picked(copies.bytes),
    device: picked(copies.device),
    stream: picked(copies.stream),
  };
}
