import type { Writable } from 'node:stream';
import type { NsysReport } from '../nsys/nsysReport.ts';
import { ChromeTraceWriter } from './chromeTrace.ts';

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
  const launchPlace = new Map<string, { readonly pid: number; readonly tid: number }>();
  for (let i = 0; i < apiCalls.rows; i += 1) {
    const place = { pid: at(apiCalls.pid, i), tid: at(apiCalls.tid, i) };
    launchPlace.set(`${place.pid}/${at(apiCalls.correlation, i)}`, place);
    await trace.slice(place, 'cuda', name(apiCalls.name[i]), at(apiCalls.startNs, i), at(apiCalls.endNs, i));
  }
  for (let i = 0; i < ranges.rows; i += 1) {
    const place = { pid: at(ranges.pid, i), tid: at(ranges.tid, i) };
    const [start, end] = [at(ranges.startNs, i), at(ranges.endNs, i)];
    const kind = ranges.kind[i];
    if (kind === 34) await trace.mark(place, 'nvtx', name(ranges.name[i]), start);
    else if (kind === 60) await trace.span(place.pid, 'nvtx', `range ${i}`, name(ranges.name[i]), start, end);
    else await trace.slice(place, 'nvtx', name(ranges.name[i]), start, end);
  }
  for (let i = 0; i < osCalls.rows; i += 1) {
    const place = { pid: at(osCalls.pid, i), tid: at(osCalls.tid, i) };
    await trace.slice(place, 'os', name(osCalls.name[i]), at(osCalls.startNs, i), at(osCalls.endNs, i));
  }
  for (let i = 0; i < kernels.rows; i += 1) {
    const place = { pid: gpuPid(at(kernels.device, i)), tid: at(kernels.stream, i) };
    const start = at(kernels.startNs, i);
    await trace.slice(place, 'kernel', name(kernels.name[i]), start, at(kernels.endNs, i), {
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
    const place = { pid: gpuPid(at(copies.device, i)), tid: at(copies.stream, i) };
    const what = copies.isSet[i] === 1 ? 'memset' : 'memcpy';
    await trace.slice(
      place,
      'copy',
      what,
      at(copies.startNs, i),
      at(copies.endNs, i),
      number('bytes', copies.bytes[i]),
    );
  }
  for (const series of report.counters) {
    for (let i = 0; i < series.timeNs.length; i += 1) {
      await trace.counter(gpuPid(series.device), series.metric, at(series.timeNs, i), at(series.value, i));
    }
  }
  await trace.end({ title, tool: `${report.tool.name} ${report.tool.version}`, writer: 'Dyno' });
  return { events: trace.events };
}

const number = (key: string, value: number | undefined): Readonly<Record<string, number>> =>
  value === undefined || Number.isNaN(value) ? {} : { [key]: value };
