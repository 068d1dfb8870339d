import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absentInt32 } from '../../../../workloads/run/tables.ts';
import type { NsysReport } from '../nsys/nsysReport.ts';
import { writeCaptureTrace } from './captureTrace.ts';
import { ChromeTraceWriter, microseconds } from './chromeTrace.ts';
import { FlatLanes, NestedLanes } from './lanes.ts';
import { type RunTables, type TraceRows, writeRunTrace } from './runTrace.ts';
import { brokenRules } from './traceRules.ts';

/** Keeps what is written; slow, so that back-pressure is real. */
class Slow extends Writable {
  text = '';
  constructor() {
    super({ highWaterMark: 64 });
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    setImmediate(done);
  }
}

interface Event {
  readonly ph: string;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly id?: string | number;
  readonly args?: Readonly<Record<string, unknown>>;
}
interface Trace {
  readonly traceEvents: readonly Event[];
  readonly otherData: Readonly<Record<string, unknown>>;
}

const rowsOf = (columns: Readonly<Record<string, readonly (number | string)[]>>): TraceRows => ({
  rows: Object.values(columns)[0]?.length ?? 0,
  numbers: (name) => columns[name]?.map(Number),
  texts: (name) => columns[name]?.map(String),
});
async function* batches(...all: readonly TraceRows[]): AsyncGenerator<TraceRows> {
  yield* all;
}

const nan = Number.NaN;
/** Two requests on two instances; the second was rejected. */
const tables: RunTables = {
  requests: () =>
    batches(
      rowsOf({
        iteration: [0, 0, 1],
        request: [0, 1, 0],
        status: ['completed', 'rejected', 'completed'],
        arrival_ns: [1_000_000, 2_000_000, 0],
        scheduled_ns: [1_500_000, nan, 0],
        first_token_ns: [4_000_001, nan, 1],
        finish_ns: [9_000_000, nan, 2],
        prompt_tokens: [512, 100, 1],
        prefill_instance: [1, absentInt32, 0],
      }),
    ),
  iterations: () =>
    batches(
      rowsOf({
        iteration: [0, 0],
        instance: [1, 1],
        start_ns: [1_500_000, 4_000_001],
        end_ns: [4_000_001, 9_000_000],
        passes: [1, 30],
        prefill_tokens: [512, 0],
        decode_sequences: [0, 1],
        context_tokens: [nan, 512],
        kv_blocks: [32, 34],
      }),
    ),
  decisions: () =>
    batches(
      rowsOf({
        iteration: [0],
        request: [0],
        time_ns: [1_000_000],
        stage: ['prefill'],
        instance: [0],
        chosen: [0],
        score: [-2],
      }),
      rowsOf({
        iteration: [0],
        request: [0],
        time_ns: [1_000_000],
        stage: ['prefill'],
        instance: [1],
        chosen: [1],
        score: [0.5],
      }),
    ),
};

async function written(run: (sink: Writable) => Promise<unknown>): Promise<Trace> {
  const sink = new Slow();
  await run(sink);
  await new Promise<void>((resolve) => sink.end(resolve));
  return JSON.parse(sink.text) as Trace;
}

describe('a run as a trace', () => {
  const trace = () =>
    written((sink) =>
      writeRunTrace(sink, tables, {
        title: 'ch17:dynamic_routing',
        simulated: true,
        instances: ['p0', 'd0'],
      }),
    );

  it('gives a request its nested phases', async () => {
    const spans = (await trace()).traceEvents.filter((e) => (e.ph === 'b' || e.ph === 'e') && e.id === '0');
    expect(spans.map((e) => [e.ph, e.name, e.ts])).toEqual([
      ['b', 'request 0', 1000],
      ['b', 'queue', 1000],
      ['e', 'queue', 1500],
      ['b', 'prefill', 1500],
      ['e', 'prefill', 4000.001],
      ['b', 'decode', 4000.001],
      ['e', 'decode', 9000],
      ['e', 'request 0', 9000],
    ]);
    expect(spans[0]?.args).toEqual({ status: 'completed', prompt_tokens: 512, prefill_instance: 1 });
  });

  it('keeps one replicate, and a rejected request as what it is', async () => {
    const events = (await trace()).traceEvents;
    expect(events.filter((e) => e.name === 'request 0' && e.ph === 'b')).toHaveLength(1);
    expect(
      events.filter((e) => e.ph === 'b' && e.id === '1').map((e) => [e.name, e.args?.['status']]),
    ).toEqual([['request 1', 'rejected']]);
  });

  it('shows a decision as an instant with its scores', async () => {
    const { traceEvents, otherData } = await trace();
    const decision = traceEvents.find((e) => e.ph === 'i');
    expect(decision).toMatchObject({
      name: 'request 0 · prefill → 1',
      ts: 1000,
      args: { 'score 0': -2, 'score 1': 0.5, 'taken up at (ns)': 1_500_000 },
    });
    expect(otherData['clock']).toBe('simulated time, nothing was measured');
  });

  it('keeps the rules with 1,500 arrivals at one time, and with iterations that overlap', async () => {
    const many = Array.from({ length: 1500 }, (_, i) => i);
    const crowded: RunTables = {
      requests: () =>
        batches(
          rowsOf({
            request: many,
            status: many.map(() => 'completed'),
            arrival_ns: many.map(() => 400),
            scheduled_ns: many.map(() => 400),
            first_token_ns: many.map((i) => 500 + i),
            finish_ns: many.map((i) => 500 + i),
          }),
        ),
      iterations: () =>
        batches(
          rowsOf({
            instance: many.map((i) => i % 2),
            start_ns: many.map((i) => 400 + 10 * i),
            end_ns: many.map((i) => 425 + 10 * i),
            prefill_tokens: many.map(() => 1),
          }),
        ),
      decisions: () =>
        batches(
          rowsOf({
            request: many,
            time_ns: many.map(() => 400),
            stage: many.map(() => 'prefill'),
            instance: many.map((i) => i % 2),
            chosen: many.map(() => 1),
            score: many.map(() => 0),
          }),
        ),
    };
    const options = { title: 't', simulated: true, instances: ['a', 'b'] };
    const { traceEvents } = await written((sink) => writeRunTrace(sink, crowded, options));
    expect(brokenRules(traceEvents)).toEqual([]);
    expect(traceEvents.filter((e) => e.ph === 'i')).toHaveLength(1500);
  });
});

describe('the rules of the format', () => {
  const slice = (ts: number, dur: number, name = 's') => ({ ph: 'X', name, pid: 1, tid: 1, ts, dur });

  it('name slices that cross, spans that end in the wrong order, arrows from nowhere', () => {
    expect(brokenRules([slice(0, 10), slice(5, 10)])).toHaveLength(1);
    expect(brokenRules([slice(0, 10), slice(5, 5), slice(10, 3)])).toEqual([]);
    const span = (ph: string, name: string, ts: number) => ({
      ph,
      name,
      cat: 'c',
      id: '1',
      pid: 1,
      tid: 0,
      ts,
    });
    expect(
      brokenRules([span('b', 'a', 0), span('b', 'b', 1), span('e', 'a', 2), span('e', 'b', 3)]),
    ).toHaveLength(2);
    expect(brokenRules([span('b', 'a', 0)])[0]).toContain('never ends');
    expect(brokenRules([{ ph: 's', id: 1, pid: 1, tid: 1, ts: 3 }])[0]).toContain('no end');
  });

  it('hold for any slices put into lanes', () => {
    const interval = fc.tuple(fc.nat(200), fc.nat(60));
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 60 }), (intervals) => {
        const flat = new FlatLanes();
        const events = intervals.map(([ts, dur]) => ({ ...slice(ts, dur), tid: flat.take(ts, ts + dur) }));
        expect(brokenRules(events)).toEqual([]);
        const nested = new NestedLanes();
        const sorted = intervals.toSorted((a, b) => a[0] - b[0] || b[1] - a[1]);
        const inside = sorted.map(([ts, dur]) => ({ ...slice(ts, dur), tid: nested.take(ts, ts + dur) }));
        expect(brokenRules(inside)).toEqual([]);
      }),
    );
  });
});

const noEvents = { rows: 0, startNs: new Float64Array(0), endNs: new Float64Array(0) };
const columnsOf = (...values: readonly number[]): Float64Array => Float64Array.from(values);

it('a capture whose kernels overlap on a stream, and whose calls cross a range, keeps the rules', async () => {
  const none = new Float64Array(0);
  const calls = { ...noEvents, name: none, pid: none, tid: none, correlation: none };
  const report: NsysReport = {
    source: 'captured',
    tool: { name: 'nsys', version: '1', schema: '1' },
    gpus: [],
    names: ['gemm', 'launch', 'range', 'poll'],
    kernels: {
      rows: 3,
      startNs: columnsOf(100, 150, 210),
      endNs: columnsOf(200, 260, 300),
      name: columnsOf(0, 0, 0),
      device: columnsOf(0, 0, 0),
      stream: columnsOf(7, 7, 7),
      pid: columnsOf(1, 1, 1),
      correlation: columnsOf(1, 2, 3),
      gridThreads: columnsOf(nan, nan, nan),
      blockThreads: columnsOf(nan, nan, nan),
      registers: columnsOf(nan, nan, nan),
      sharedBytes: columnsOf(nan, nan, nan),
      launchStartNs: columnsOf(10, 20, nan),
      launchEndNs: columnsOf(15, 25, nan),
      range: columnsOf(-1, -1, -1),
    },
    copies: { ...noEvents, kind: none, isSet: new Uint8Array(0), bytes: none, device: none, stream: none },
    ranges: {
      rows: 1,
      startNs: columnsOf(5),
      endNs: columnsOf(22),
      name: columnsOf(2),
      pid: columnsOf(1),
      tid: columnsOf(1),
      depth: columnsOf(0),
      kind: columnsOf(59),
    },
    apiCalls: {
      rows: 2,
      startNs: columnsOf(10, 20),
      endNs: columnsOf(15, 25),
      name: columnsOf(1, 1),
      pid: columnsOf(1, 1),
      tid: columnsOf(1, 1),
      correlation: columnsOf(1, 2),
    },
    osCalls: {
      ...calls,
      rows: 1,
      startNs: columnsOf(0),
      endNs: columnsOf(12),
      name: columnsOf(3),
      pid: columnsOf(1),
      tid: columnsOf(1),
    },
    counters: [],
    missing: [],
    diagnostics: [],
  };
  const { traceEvents } = await written((sink) => writeCaptureTrace(sink, report, 't'));
  expect(brokenRules(traceEvents)).toEqual([]);
  expect(traceEvents.filter((e) => e.ph === 's')).toHaveLength(2);
  expect(new Set(traceEvents.filter((e) => e.name === 'gemm').map((e) => e.tid)).size).toBe(2);
});

it('any names and times make valid JSON with exact nanoseconds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.string(), fc.maxSafeInteger(), fc.nat()), { maxLength: 50 }),
      async (slices) => {
        const { traceEvents } = await written(async (sink) => {
          const trace = new ChromeTraceWriter(sink);
          for (const [name, start, size] of slices)
            await trace.slice({ pid: 1, tid: 1 }, 'c', name, start, start + size);
          await trace.end({});
        });
        expect(traceEvents.map((e) => e.name)).toEqual(slices.map(([name]) => name));
      },
    ),
    { numRuns: 30 },
  );
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), (ns) => {
      const [whole = '0', rest = ''] = microseconds(ns).replace('-', '').split('.');
      expect(BigInt(whole) * 1000n + BigInt(rest.padEnd(3, '0').slice(0, 3) || '0')).toBe(
        BigInt(Math.abs(ns)),
      );
    }),
  );
});

it('a sink that fails ends the export', async () => {
  const sink = new Writable({
    highWaterMark: 1,
    write(_chunk, _encoding, done) {
      done(new Error('disk full'));
    },
  });
  const trace = new ChromeTraceWriter(sink);
  const writing = (async () => {
    for (let i = 0; i < 100_000; i += 1)
      await trace.slice({ pid: 1, tid: 1 }, 'c', 'name of a slice', i, i + 1);
    await trace.end({});
  })();
  await expect(writing).rejects.toThrow('disk full');
});
