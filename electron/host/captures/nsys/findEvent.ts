import type { Ns } from '../../../../workloads/units.ts';
import type { FoundEvent } from '../../../contract/captures.ts';
import { eventOf } from './linkedEvents.ts';
import type { NsysReport } from './nsysReport.ts';
import type { TimelineRow } from './timelineRows.ts';

/**
 * The next event after `fromNs` (or the one before it) whose name holds `text`, whatever the case; the search goes round at the
 * end. Kernels alone; where no kernel has such a name, the ranges, then the calls.
 */
export function findEvent(
  report: NsysReport,
  lanes: readonly TimelineRow[],
  text: string,
  fromNs: Ns,
  direction: 'next' | 'previous',
): FoundEvent {
  const wanted = text.toLowerCase();
  const isWanted = report.names.map((name) => name.toLowerCase().includes(wanted));
  for (const kind of ['kernel', 'range', 'api', 'os'] as const) {
    const hits = lanes.flatMap((row, lane) => {
      if (row.kind !== kind) return [];
      const found: { lane: number; index: number; startNs: Ns }[] = [];
      row.name.forEach((name, index) => {
        if (isWanted[name] === true) found.push({ lane, index, startNs: row.startNs[index] ?? 0 });
      });
      return found;
    });
    if (hits.length === 0) continue;
    hits.sort((a, b) => a.startNs - b.startNs || a.lane - b.lane);
    const after = hits.findIndex(({ startNs }) => startNs > fromNs);
    const before = hits.findLastIndex(({ startNs }) => startNs < fromNs);
    const at = direction === 'next' ? Math.max(0, after) : before < 0 ? hits.length - 1 : before;
    const hit = hits[at];
    if (hit === undefined) continue;
    return { total: hits.length, index: at, event: eventOf(report, lanes, hit.lane, hit.index) };
  }
  return { total: 0 };
}
