import { nativeFolder } from '../../native/index.ts';
import type { KernelSpec } from '../../workloads/kernels/kernelSpec.ts';
import { checkOffers, type HostTime, type Run } from '../../workloads/run/engine.ts';
import type { RunSpec } from '../../workloads/run/spec.ts';
import type { Batch, EventSink } from '../../workloads/run/tables.ts';
import { trafficWarnings } from '../../workloads/run/trafficWarnings.ts';
import { asCudaFailure, openCudaDevice } from '../shared/cudaDevice.ts';
import { IntervalMarks, intervalOf } from '../shared/intervalMarks.ts';
import { loadOperatorTables } from '../shared/operatorSource.ts';
import { OutPipe } from '../shared/outPipe.ts';
import { type InRange, profilerMarks, profilerRanges } from '../shared/profilerRanges.ts';
import type { StreamEncoder } from '../shared/stream/encoder.ts';
import type { PlainMessage } from '../shared/stream/message.ts';
import { Cancelled, trafficSource } from '../shared/trafficSource.ts';
import type { Control } from './control.ts';
import { engines } from './engines/engines.ts';
import { hostTime } from './hostTime.ts';
import { runKernels } from './runKernels.ts';

/** Host time of one slice of work: a cancel is seen at least this often. */
const sliceMs = 10;
const flushMs = 80;
const progressMs = 50;

/** Puts what the engine says on the pipe. */
class PipeSink implements EventSink {
  clock = 0;
  private readonly pipe: OutPipe;
  private readonly encoder: StreamEncoder;
  private lastProgress = 0;

  constructor(pipe: OutPipe, encoder: StreamEncoder) {
    this.pipe = pipe;
    this.encoder = encoder;
  }

  batch(batch: Batch): void {
    if (batch.rows === 0) return;
    for (const frame of this.encoder.batch(batch)) this.pipe.write(frame);
  }

  progress(done: number, total: number, clock: number): void {
    this.clock = clock;
    const now = performance.now();
    if (now - this.lastProgress < progressMs && done < total) return;
    this.lastProgress = now;
    this.say({ kind: 'progress', phase: 'running', done, total, clock_ns: clock });
  }

  reading(done: number, total: number): void {
    const now = performance.now();
    if (now - this.lastProgress < progressMs) return;
    this.lastProgress = now;
    this.say({ kind: 'progress', phase: 'reading', done, total, clock_ns: 0 });
  }

  log(level: 'info' | 'warning' | 'error', message: string): void {
    this.say({ kind: 'log', level, message, time_ns: this.clock });
  }

  say(message: PlainMessage): void {
    this.pipe.write(this.encoder.message(message));
  }
}

/** Runs one spec to its end, or to where it was cancelled. Throws where it cannot. */
export async function executeSpec(
  spec: RunSpec,
  pipe: OutPipe,
  encoder: StreamEncoder,
  control: Control,
): Promise<'done' | 'cancelled'> {
  const sink = new PipeSink(pipe, encoder);
  sink.say({ kind: 'hello', pid: process.pid, versions: versions() });
  const engine = await engines[spec.engine]();
  checkOffers(engine, spec);
  let trafficOf: Awaited<ReturnType<typeof trafficSource>>;
  try {
    await loadOperatorTables(spec);
    trafficOf = await trafficSource(spec, {
      isCancelled: () => control.cancelled !== undefined,
      progress: (done, total) => sink.reading(done, total),
    });
  } catch (thrown) {
    if (thrown instanceof Cancelled) return 'cancelled';
    throw thrown;
  }
  if (control.cancelled !== undefined) return 'cancelled';
  for (const warning of trafficWarnings(spec, trafficOf(0))) sink.log('warning', warning);
  const inRange = profilerRanges();
  const time: HostTime = {
    ...hostTime(),
    turn: (replicate) => control.turn(replicate, () => sink.say({ kind: 'turn', replicate })),
  };
  const run = await inRange('start', () => engine.open(spec, trafficOf, sink, time));
  const marks = new IntervalMarks(intervalOf(), profilerMarks());
  const status = await drive(run, engine.virtualTime, pipe, control, inRange, marks);
  marks.end();
  const summary = await inRange('finish', () => run.finish());
  sink.say({ kind: 'summary', status, summary });
  return status;
}

/** Measures the kernels of one spec. The run's clock starts here, and the hello says when that was. */
export async function executeKernels(
  spec: KernelSpec,
  pipe: OutPipe,
  encoder: StreamEncoder,
  control: Control,
): Promise<'done' | 'cancelled'> {
  const sink = new PipeSink(pipe, encoder);
  const origin = process.hrtime.bigint();
  sink.say({ kind: 'hello', pid: process.pid, versions: versions(), origin_ns: String(origin) });
  const device = await openCudaDevice(nativeFolder(import.meta.url), {
    index: spec.device,
    originNs: origin,
    target: spec.target,
    record: spec.record,
  });
  if (device.remark !== undefined) sink.log('info', device.remark);
  try {
    const { status, summary } = await runKernels(spec, device, sink, {
      isCancelled: () => control.cancelled !== undefined,
      clockNs: () => Number(process.hrtime.bigint() - origin),
      breathe: () => new Promise((resolve) => setImmediate(resolve)),
      ...(device.recorder === undefined ? {} : { recorder: device.recorder }),
      openCounters: device.openCounters,
      marks: new IntervalMarks(intervalOf(), profilerMarks()),
      // Marks each replicate for the recording, whether this process or a profiler makes it.
      ...(device.recorder === undefined ? { inRange: profilerRanges() } : { inRange: device.inRange }),
    });
    if (summary !== undefined) sink.say({ kind: 'summary', status, summary });
    return status;
  } catch (thrown) {
    throw asCudaFailure(thrown);
  } finally {
    device.close();
  }
}

/** Each slice is an NVTX range `advance` under a capture. */
async function drive(
  run: Run,
  virtualTime: boolean,
  pipe: OutPipe,
  control: Control,
  inRange: InRange,
  marks: IntervalMarks,
): Promise<'done' | 'cancelled'> {
  // Events per slice follow the host's speed: from little, so that the first slice is short on cold code.
  let events = 256;
  let lastFlush = performance.now();
  let pace = control.pace;
  let origin = { clock: run.clock, at: performance.now() };
  for (;;) {
    if (control.cancelled !== undefined) return 'cancelled';
    const begin = performance.now();
    if (control.pace !== pace || run.clock < origin.clock) {
      // A new pace counts from here; a new replicate's clock starts again at 0.
      pace = control.pace;
      origin = { clock: run.clock, at: begin };
    }
    const paced =
      pace === 'max' || !virtualTime
        ? Number.POSITIVE_INFINITY
        : origin.clock + (begin - origin.at) * 1e6 * pace;
    marks.reached(run.clock);
    const until = Math.min(paced, marks.bound());
    const before = run.clock;
    const isOver = await inRange('advance', () => run.step(until, events));
    const end = performance.now();
    if (isOver) {
      inRange('flush', () => run.flush());
      return 'done';
    }
    const took = end - begin;
    // In real time a step waits for what comes next: its duration says nothing of the work.
    if (!virtualTime) events = 4096;
    else if (took > sliceMs * 1.3) events = Math.max(16, Math.floor((events * sliceMs) / took));
    else if (took < sliceMs * 0.7) events = Math.min(1_000_000, events * 2);
    if (end - lastFlush >= flushMs) {
      inRange('flush', () => run.flush());
      lastFlush = end;
    }
    // An edge of a captured interval: on at once.
    if (until < paced && run.clock >= until - 1) marks.reached(until);
    const isAhead = virtualTime && pace !== 'max' && run.clock >= paced - 1;
    if (isAhead || (virtualTime && pace !== 'max' && run.clock === before)) await control.sleep(8);
    else if (pipe.backlog >= OutPipe.highMark) await Promise.race([pipe.whenDrained(), control.sleep(100)]);
    else await new Promise((resolve) => setImmediate(resolve));
  }
}

function versions(): Record<string, string> {
  const { node, v8, electron } = process.versions;
  return { node, v8, ...(electron === undefined ? {} : { electron }) };
}
