import type { Writable } from 'node:stream';
import type { Ns } from '../../../../workloads/units.ts';
import type { NsysReport } from '../nsys/nsysReport.ts';
import { ChromeTraceWriter, type TracePlace } from './chromeTrace.ts';
import { FlatLanes, NestedLanes } from './lanes.ts';

/**
 * An Nsight Systems capture as a trace: a process per GPU with a row per stream, and each recorded process with its
 * threads' NVTX ranges and CUDA calls; an arrow from each launch call to its kernel. Environment and program output are
 * not in a report as imported, so they cannot get in here.
 */
const gpuPid = (device: number): number => 10_000_000 + device;

export async function writeCaptureTrace(
  sink: Writable,
  report: NsysReport,
  title: string,
): Promise<{ readonly events: number }> {
  const trace = new ChromeTraceWriter(sink);
  const { kernels, copies, ranges, apiCalls, osCalls, names } = report;
  const name = (index: number | undefined): string => names[index ?? -1] ?? 'unnamed';
  const at = (column: Float64Array, row: number): number => column[row] ?? 0;

  for (const device of new Set([...kernels.device, ...copies.device])) {
    const gpu = report.gpus.find((one) => one.id === device);
    await trace.process(gpuPid(device), `GPU ${device}${gpu === undefined ? '' : ` · ${gpu.name}`}`, device);
  }
  const rows = new LaneRows(trace);
  const launchPlace = new Map<string, TracePlace>();
  for (const { kind, row } of hostEvents(report)) {
    const events = kind === 'nvtx' ? ranges : kind === 'cuda' ? apiCalls : osCalls;
    const thread = { pid: at(events.pid, row), tid: at(events.tid, row) };
    const [start, end] = [at(events.startNs, row), at(events.endNs, row)];
    const text = name(events.name[row]);
    if (kind === 'nvtx' && ranges.kind[row] === 34) await trace.mark(thread, 'nvtx', text, start);
    else if (kind === 'nvtx' && ranges.kind[row] === 60)
      await trace.span(thread.pid, 'nvtx', `range ${row}`, text, start, end);
    else {
      const place = await rows.nested(thread, start, end, 'thread');
      if (kind === 'cuda') launchPlace.set(`${thread.pid}/${at(apiCalls.correlation, row)}`, place);
      await trace.slice(place, kind, text, start, end);
    }
  }
  for (let i = 0; i < kernels.rows; i += 1) {
    const start = at(kernels.startNs, i);
    const end = at(kernels.endNs, i);
    const stream = { pid: gpuPid(at(kernels.device, i)), tid: at(kernels.stream, i) };
    const place = await rows.flat(stream, start, end, 'stream');
    await trace.slice(place, 'kernel', name(kernels.name[i]), start, end, {
      ...number('threads', kernels.gridThreads[i]),
      ...number('block', kernels.blockThreads[i]),
      ...number('registers', kernels.registers[i]),
    });
    const from = launchPlace.get(`${at(kernels.pid, i)}/${at(kernels.correlation, i)}`);
    const launched = kernels.launchStartNs[i] ?? Number.NaN;
    if (from !== undefined && !Number.isNaN(launched))
      await trace.flow(i + 1, 'launch', from, launched, place, start);
  }
  for (let i = 0; i < copies.rows; i += 1) {
    const what = copies.isSet[i] === 1 ? 'memset' : 'memcpy';
    const [start, end] = [at(copies.startNs, i), at(copies.endNs, i)];
    const stream = { pid: gpuPid(at(copies.device, i)), tid: at(copies.stream, i) };
    const place = await rows.flat(stream, start, end, 'stream');
    await trace.slice(place, 'copy', what, start, end, number('bytes', copies.bytes[i]));
  }
  for (const series of report.counters) {
    for (let i = 0; i < series.timeNs.length; i += 1) {
      await trace.counter(gpuPid(series.device), series.metric, at(series.timeNs, i), at(series.value, i));
    }
  }
  await trace.end({ title, tool: `${report.tool.name} ${report.tool.version}`.trim(), writer: 'Dyno' });
  return { events: trace.events };
}

const number = (key: string, value: number | undefined): Readonly<Record<string, number>> =>
  value === undefined || Number.isNaN(value) ? {} : { [key]: value };

/** Places for slices that may cross on their row: further lanes of a row are rows of their own, named and put below it. */
class LaneRows {
  private readonly trace: ChromeTraceWriter;
  private readonly lanes = new Map<string, FlatLanes | NestedLanes>();
  private readonly further = new Map<string, TracePlace>();
  private nextRow = 0;

  constructor(trace: ChromeTraceWriter) {
    this.trace = trace;
  }

  /** For slices of which none lies inside another. */
  flat(row: TracePlace, start: Ns, end: Ns, what: string): Promise<TracePlace> {
    return this.place(row, start, end, what, () => new FlatLanes());
  }

  /** For slices that come by start, outer ones first. */
  nested(row: TracePlace, start: Ns, end: Ns, what: string): Promise<TracePlace> {
    return this.place(row, start, end, what, () => new NestedLanes());
  }

  private async place(
    row: TracePlace,
    start: Ns,
    end: Ns,
    what: string,
    make: () => FlatLanes | NestedLanes,
  ): Promise<TracePlace> {
    const key = `${row.pid}/${row.tid}`;
    const lanes = this.lanes.get(key) ?? make();
    this.lanes.set(key, lanes);
    const lane = lanes.take(start, Math.max(start, end));
    if (lane === 0) return row;
    const known = this.further.get(`${key}/${lane}`);
    if (known !== undefined) return known;
    // Above any thread id of an operating system and any stream number.
    const place = { pid: row.pid, tid: 100_000_000 + this.nextRow++ };
    this.further.set(`${key}/${lane}`, place);
    await this.trace.thread(place, `${what} ${row.tid} · lane ${lane + 1}`, row.tid);
    return place;
  }
}

type HostKind = 'nvtx' | 'cuda' | 'os';

/** Ranges and calls of all threads by start, outer ones first, in the order in which their rows must be written. */
function hostEvents({ ranges, apiCalls, osCalls }: NsysReport): { kind: HostKind; row: number }[] {
  const kinds = [
    { kind: 'nvtx', events: ranges },
    { kind: 'cuda', events: apiCalls },
    { kind: 'os', events: osCalls },
  ] as const;
  const all = kinds.flatMap(({ kind, events }, order) =>
    Array.from({ length: events.rows }, (_, row) => ({
      kind,
      row,
      order,
      start: events.startNs[row] ?? 0,
      end: events.endNs[row] ?? 0,
    })),
  );
  return all.sort((a, b) => a.start - b.start || b.end - a.end || a.order - b.order || a.row - b.row);
}
