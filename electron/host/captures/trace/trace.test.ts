import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absentInt32 } from '../../../../workloads/run/tables.ts';
import { ChromeTraceWriter, microseconds } from './chromeTrace.ts';
import { type RunTables, type TraceRows, writeRunTrace } from './runTrace.ts';

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
      ['e', 'request 0', 9000],
      ['b', 'queue', 1000],
      ['e', 'queue', 1500],
      ['b', 'prefill', 1500],
      ['e', 'prefill', 4000.001],
      ['b', 'decode', 4000.001],
      ['e', 'decode', 9000],
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

  it('draws an arrow from the decision into the iteration that took the request up', async () => {
    const { traceEvents, otherData } = await trace();
    const start = traceEvents.find((e) => e.ph === 's');
    const end = traceEvents.find((e) => e.ph === 'f');
    const slices = traceEvents.filter((e) => e.ph === 'X');
    const around = (event: Event | undefined) =>
      slices.find(
        (s) =>
          event !== undefined &&
          s.pid === event.pid &&
          s.tid === event.tid &&
          s.ts <= event.ts &&
          event.ts < s.ts + (s.dur ?? 0),
      );
    expect(around(start)).toMatchObject({
      name: 'request 0 · prefill → 1',
      args: { 'score 0': -2, 'score 1': 0.5 },
    });
    expect(around(end)).toMatchObject({
      name: 'prefill',
      args: { passes: 1, prefill_tokens: 512, decode_sequences: 0, kv_blocks: 32 },
    });
    expect(start?.id).toBe(end?.id);
    expect(otherData['clock']).toBe('simulated time, nothing was measured');
  });
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
