import { basename } from 'node:path';
import { sortedOrder } from './growingColumn.ts';
import type { CapturedGpu, NsysReport } from './nsysReport.ts';

export interface RankReport {
  readonly file: string;
  readonly report: NsysReport;
}

/**
 * The reports of several ranks or hosts as one timeline. Wall clocks lay them beside each other; a report without one begins with the
 * first. GPUs are told apart by UUID, or where a report has none by its file; processes of different hosts with one number get new ones.
 */
export function mergeReports(ranks: readonly RankReport[]): NsysReport {
  const [first] = ranks;
  if (first === undefined) throw new Error('no reports to merge');
  if (ranks.length === 1) return first.report;
  const begin = ranks
    .flatMap(({ report }) => (report.startUtcNs === undefined ? [] : [BigInt(report.startUtcNs)]))
    .reduce<bigint | undefined>((least, at) => (least === undefined || at < least ? at : least), undefined);
  const merged = ranks.map((rank) => placed(rank, begin));
  const names: string[] = [];
  const nameIndex = new Map<string, number>();
  const gpus: CapturedGpu[] = [];
  const gpuIndex = new Map<string, number>();
  const pids = new Map<number, string>();
  let nextPid = 1_000_000_000;
  for (const part of merged) {
    part.name = Float64Array.from(part.report.names, (text) => indexed(text, names, nameIndex));
    for (const gpu of part.report.gpus) {
      const key = gpu.uuid ?? `${part.file} ${gpu.id}`;
      let id = gpuIndex.get(key);
      if (id === undefined) {
        id = gpus.length;
        gpuIndex.set(key, id);
        gpus.push({ ...gpu, id, name: `${gpu.name} (${basename(part.file)})` });
      }
      part.device.set(gpu.id, id);
    }
    for (const pid of pidsOf(part.report)) {
      const owner = pids.get(pid);
      if (owner !== undefined && owner !== part.file) part.pid.set(pid, nextPid++);
      else pids.set(pid, part.file);
    }
  }
  let nextGpu = gpus.length;
  // Devices that a report uses and does not describe.
  for (const { report, device } of merged)
    for (const id of [...report.kernels.device, ...report.copies.device])
      if (!Number.isNaN(id) && !device.has(id)) device.set(id, nextGpu++);

  const ranges = joined(merged, ({ report: { ranges: own } }) => own, true);
  const kernels = joined(merged, ({ report: { kernels: own } }) => own, false, ranges.placeOf);
  return {
    source: 'captured',
    tool: first.report.tool,
    ...(begin === undefined ? {} : { startUtcNs: begin.toString() }),
    gpus,
    names,
    kernels: kernels.events,
    copies: joined(merged, ({ report: { copies: own } }) => own).events,
    ranges: ranges.events,
    apiCalls: joined(merged, ({ report: { apiCalls: own } }) => own).events,
    osCalls: joined(merged, ({ report: { osCalls: own } }) => own).events,
    counters: merged.flatMap(({ report, device, shiftNs }) =>
      report.counters.map((series) => ({
        ...series,
        device: device.get(series.device) ?? series.device,
        timeNs: series.timeNs.map((t) => t + shiftNs),
      })),
    ),
    missing: merged.flatMap(({ file, report }) => [
      ...report.missing.map((what) => `${basename(file)}: ${what}`),
      ...(report.startUtcNs === undefined
        ? [`${basename(file)}: no wall clock: its start was laid on that of the earliest report`]
        : []),
    ]),
    diagnostics: merged.flatMap(({ file, report }) =>
      report.diagnostics.map((d) => `${basename(file)}: ${d}`),
    ),
  };
}

interface Part extends RankReport {
  readonly shiftNs: number;
  name: Float64Array;
  readonly device: Map<number, number>;
  readonly pid: Map<number, number>;
}

const placed = ({ file, report }: RankReport, begin: bigint | undefined): Part => ({
  file,
  report,
  shiftNs:
    report.startUtcNs === undefined || begin === undefined ? 0 : Number(BigInt(report.startUtcNs) - begin),
  name: new Float64Array(0),
  device: new Map(),
  pid: new Map(),
});

function indexed(text: string, names: string[], known: Map<string, number>): number {
  let index = known.get(text);
  if (index === undefined) {
    index = names.length;
    names.push(text);
    known.set(text, index);
  }
  return index;
}

function pidsOf({ kernels, ranges, apiCalls, osCalls }: NsysReport): Set<number> {
  const found = new Set<number>();
  for (const { pid } of [kernels, ranges, apiCalls, osCalls])
    for (const each of pid) if (each > 0) found.add(each);
  return found;
}

interface Columns {
  readonly rows: number;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
}

const timeColumns = new Set(['startNs', 'endNs', 'launchStartNs', 'launchEndNs']);

/**
 * One kind of event of all parts, sorted by start. `placeOf(part, row)` is the new row of an old one, for the columns that point at
 * rows: `rangeAt` gives those of the ranges.
 */
function joined<E extends Columns>(
  parts: readonly Part[],
  of: (part: Part) => E,
  longestFirst = false,
  rangeAt?: (part: number, row: number) => number,
): { readonly events: E; readonly placeOf: (part: number, row: number) => number } {
  const all = parts.map(of);
  const rows = all.reduce((sum, events) => sum + events.rows, 0);
  const offsets: number[] = [];
  let offset = 0;
  for (const events of all) {
    offsets.push(offset);
    offset += events.rows;
  }
  const [sample] = all;
  if (sample === undefined) throw new Error('no reports to merge');
  const raw = new Map<string, Float64Array>();
  for (const [key, column] of Object.entries(sample)) {
    if (typeof column === 'number') continue;
    const out = new Float64Array(rows);
    all.forEach((events, p) => {
      const part = parts[p];
      const own = (events as unknown as Readonly<Record<string, ArrayLike<number>>>)[key] ?? [];
      for (let i = 0; i < events.rows; i++) {
        const value = own[i] ?? Number.NaN;
        out[(offsets[p] ?? 0) + i] = part === undefined ? value : moved(key, value, part, p, rangeAt);
      }
    });
    raw.set(key, out);
  }
  const at = (key: string) => (row: number) => raw.get(key)?.[row] ?? Number.NaN;
  const order = sortedOrder(rows, at('startNs'), at('endNs'), longestFirst);
  const place = new Uint32Array(rows);
  for (let i = 0; i < rows; i++) place[order?.[i] ?? i] = i;
  const events: Record<string, unknown> = { rows };
  for (const [key, column] of raw) {
    const sorted =
      order === undefined ? column : Float64Array.from(order, (row) => column[row] ?? Number.NaN);
    const isBytes = (sample as unknown as Readonly<Record<string, unknown>>)[key] instanceof Uint8Array;
    events[key] = isBytes ? Uint8Array.from(sorted) : sorted;
  }
  return { events: events as unknown as E, placeOf: (p, row) => place[(offsets[p] ?? 0) + row] ?? -1 };
}

function moved(
  key: string,
  value: number,
  part: Part,
  index: number,
  rangeAt: ((part: number, row: number) => number) | undefined,
): number {
  if (timeColumns.has(key)) return value + part.shiftNs;
  if (key === 'name') return part.name[value] ?? -1;
  if (key === 'device') return part.device.get(value) ?? value;
  if (key === 'pid') return part.pid.get(value) ?? value;
  if (key === 'range') return value < 0 || rangeAt === undefined ? value : rangeAt(index, value);
  return value;
}
