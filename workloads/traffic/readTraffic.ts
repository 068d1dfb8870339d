import type { TrafficSpec } from '../run/spec.ts';
import { forEachLine } from './lines.ts';
import type { RequestSink } from './requestSink.ts';
import { speedUp } from './shape.ts';
import { CsvTraceRows } from './traces/csvTraceRows.ts';
import { detectTrace, headBytes, type TracePlan } from './traces/detectTrace.ts';
import { Intake, type TraceChoice } from './traces/intake.ts';
import { JsonElements } from './traces/jsonElements.ts';
import { JsonTraceRows } from './traces/jsonTraceRows.ts';
import type { TraceSource, Traffic } from './traffic.ts';
import { TrafficBuilder } from './trafficBuilder.ts';
import { TrafficLook, type TrafficSketch } from './trafficLook.ts';

export type TraceSpec = Extract<TrafficSpec, { kind: 'trace' }>;
/** The caller opens files, and unpacks what is compressed: this room does no I/O. */
export type OpenBytes = (path: string) => AsyncIterable<Uint8Array>;

/** Reads a recorded trace as its spec says. `path` as in the spec stands in error messages. */
export async function readTraffic(
  spec: TraceSpec,
  open: OpenBytes,
  progress?: (bytesRead: number) => void,
): Promise<Traffic> {
  return speedUp(await readTrace(spec.path, open(spec.path), spec, progress), spec.speedup);
}

/**
 * Reads a trace of any dialect: its first bytes say which, then all rows are read as a stream. Memory is bounded by the
 * longest row (16 MiB) and the columns of the requests that are kept: 29 bytes each, and 4 per block id.
 *
 * @throws InputError `file:line: found, expected …`, or a question that names the option which answers it
 */
export async function readTrace(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  choice: TraceChoice = {},
  progress?: (bytesRead: number) => void,
): Promise<Traffic> {
  const sinkOf = ({ blockTokens }: TracePlan) => new TrafficBuilder(name, blockTokens);
  const { sink, source } = await readInto(sinkOf, name, chunks, choice, progress);
  return { ...sink.traffic(), source };
}

/** What there is to say of a recorded trace, in the same words and with the same errors, however large it is. */
export async function lookAtTrace(
  spec: TraceSpec,
  open: OpenBytes,
  bins?: number,
  progress?: (bytesRead: number) => void,
): Promise<TrafficSketch> {
  const { path, speedup } = spec;
  const { sink, source } = await readInto(() => new TrafficLook(), path, open(path), spec, progress);
  return sink.sketch(path, source, bins, speedup);
}

async function readInto<S extends RequestSink>(
  sinkOf: (plan: TracePlan) => S,
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  choice: TraceChoice,
  progress: ((bytesRead: number) => void) | undefined,
): Promise<{ readonly sink: S; readonly source: TraceSource }> {
  const { head, rest } = await peeked(chunks);
  const plan = detectTrace(name, head, choice);
  const place = (line: number): string =>
    plan.shape === 'array' ? `${name}: element ${line}` : `${name}:${line}`;
  const sink = sinkOf(plan);
  const intake = new Intake(name, plan, choice, place, sink);
  await readRows(name, plan, intake, place, rest, progress);
  return { sink, source: intake.source() };
}

async function readRows(
  name: string,
  { shape, skip }: TracePlan,
  { take }: Intake,
  place: (line: number) => string,
  chunks: AsyncIterable<Uint8Array>,
  progress: ((bytesRead: number) => void) | undefined,
): Promise<void> {
  if (shape === 'lines') {
    const rows = new JsonTraceRows(name, take, place);
    await forEachLine(
      name,
      chunks,
      (bytes, start, end, number) => rows.record(bytes, start, end, number),
      progress,
    );
    return;
  }
  const json = new JsonTraceRows(name, take, place);
  const reader =
    shape === 'csv'
      ? new CsvTraceRows(name, take)
      : new JsonElements(
          name,
          (bytes, start, end, number) => json.record(bytes, start, end, number),
          skip > 0,
        );
  let bytesRead = 0;
  for await (const chunk of chunks) {
    bytesRead += chunk.length;
    // The first chunk is the head, which holds the wrapper.
    const goesOn = reader.push(bytesRead === chunk.length ? chunk.subarray(skip) : chunk);
    progress?.(bytesRead);
    if (!goesOn) return;
  }
  reader.end();
}

/** The first bytes of a stream, and the stream as it was. */
async function peeked(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ head: Uint8Array; rest: AsyncIterable<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < headBytes) {
    const next = await iterator.next();
    if (next.done === true) break;
    first.push(next.value);
    length += next.value.length;
  }
  const head = first.length === 1 && first[0] !== undefined ? first[0] : new Uint8Array(length);
  if (first.length > 1) {
    let at = 0;
    for (const chunk of first) {
      head.set(chunk, at);
      at += chunk.length;
    }
  }
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    try {
      if (length > 0) yield head;
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  return { head, rest: rest() };
}
