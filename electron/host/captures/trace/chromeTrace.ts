import type { Writable } from 'node:stream';
import type { Ns } from '../../../../workloads/units.ts';

/**
 * Writes Chrome's trace event format (JSON), which Perfetto (ui.perfetto.dev) and chrome://tracing open. Events go out as
 * they come, in chunks, waiting for the sink: a trace of any size needs no memory here.
 *
 * Times in a file are µs; ns are kept as three decimals, written digit by digit, so nothing is rounded.
 */
export interface TracePlace {
  readonly pid: number;
  readonly tid: number;
}

export type TraceArguments = Readonly<Record<string, string | number | boolean>>;

const chunkCharacters = 1 << 16;

export class ChromeTraceWriter {
  private readonly sink: Writable;
  private buffer = '{"displayTimeUnit":"ns","traceEvents":[\n';
  private first = true;
  private failure: Error | undefined;
  events = 0;

  constructor(sink: Writable) {
    this.sink = sink;
    sink.once('error', (error) => {
      this.failure = error;
    });
  }

  /** A row's name; `order` sorts processes top to bottom. */
  async process(pid: number, name: string, order = pid): Promise<void> {
    await this.put({ ph: 'M', name: 'process_name', pid, tid: 0, args: { name } });
    await this.put({ ph: 'M', name: 'process_sort_index', pid, tid: 0, args: { sort_index: order } });
  }

  async thread(place: TracePlace, name: string, order = place.tid): Promise<void> {
    await this.put({ ph: 'M', name: 'thread_name', ...place, args: { name } });
    await this.put({ ph: 'M', name: 'thread_sort_index', ...place, args: { sort_index: order } });
  }

  /** A slice on a thread; slices of one thread nest and never cross. */
  async slice(
    place: TracePlace,
    category: string,
    name: string,
    start: Ns,
    end: Ns,
    args: TraceArguments = {},
  ): Promise<void> {
    await this.timed({ ph: 'X', cat: category, name, ...place, args }, start, Math.max(0, end - start));
  }

  /** A span that belongs to no thread; spans with one id nest. */
  async span(
    pid: number,
    category: string,
    id: string,
    name: string,
    start: Ns,
    end: Ns,
    args: TraceArguments = {},
  ): Promise<void> {
    await this.open(pid, category, id, name, start, args);
    await this.close(pid, category, id, name, Math.max(start, end));
  }

  /** The two ends of a span, for spans with others inside: an inner one closes first, also at equal times. */
  open(
    pid: number,
    category: string,
    id: string,
    name: string,
    at: Ns,
    args: TraceArguments = {},
  ): Promise<void> {
    return this.timed({ ph: 'b', cat: category, name, id, pid, tid: 0, args }, at);
  }

  close(pid: number, category: string, id: string, name: string, at: Ns): Promise<void> {
    return this.timed({ ph: 'e', cat: category, name, id, pid, tid: 0 }, at);
  }

  /** An arrow from the slice around `start` at `from` to the slice around `end` at `to`. */
  async flow(id: number, name: string, from: TracePlace, start: Ns, to: TracePlace, end: Ns): Promise<void> {
    await this.timed({ ph: 's', cat: 'flow', name, id, ...from }, start);
    await this.timed({ ph: 'f', bp: 'e', cat: 'flow', name, id, ...to }, end);
  }

  /** An instant: something that takes no time. Any number of them may lie at one time. */
  async mark(
    place: TracePlace,
    category: string,
    name: string,
    at: Ns,
    args?: TraceArguments,
  ): Promise<void> {
    await this.timed(
      { ph: 'i', s: 't', cat: category, name, ...place, ...(args === undefined ? {} : { args }) },
      at,
    );
  }

  async counter(pid: number, name: string, at: Ns, value: number): Promise<void> {
    await this.timed({ ph: 'C', name, pid, tid: 0, args: { value } }, at);
  }

  /** Closes the document; the sink is left to its owner. */
  async end(about: TraceArguments): Promise<void> {
    this.buffer += `\n],"otherData":${JSON.stringify(about)}}\n`;
    await this.flush();
  }

  private timed(event: object, at: Ns, duration?: Ns): Promise<void> {
    const text = JSON.stringify(event);
    const times = `,"ts":${microseconds(at)}${duration === undefined ? '' : `,"dur":${microseconds(duration)}`}}`;
    return this.putText(text.slice(0, -1) + times);
  }

  private put(event: object): Promise<void> {
    return this.putText(JSON.stringify(event));
  }

  private async putText(text: string): Promise<void> {
    this.buffer += this.first ? text : `,\n${text}`;
    this.first = false;
    this.events += 1;
    if (this.buffer.length >= chunkCharacters) await this.flush();
  }

  private async flush(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    const chunk = this.buffer;
    this.buffer = '';
    if (this.sink.write(chunk)) return;
    await new Promise<void>((resolve, reject) => {
      const onDrain = () => {
        this.sink.off('error', onError);
        resolve();
      };
      const onError = (error: Error) => {
        this.sink.off('drain', onDrain);
        reject(error);
      };
      this.sink.once('drain', onDrain);
      this.sink.once('error', onError);
    });
  }
}

/** 1234567 ns → `1234.567`. */
export function microseconds(ns: Ns): string {
  const whole = Math.round(ns);
  const sign = whole < 0 ? '-' : '';
  const positive = Math.abs(whole);
  const rest = positive % 1000;
  return `${sign}${Math.floor(positive / 1000)}${rest === 0 ? '' : `.${String(rest).padStart(3, '0')}`}`;
}
