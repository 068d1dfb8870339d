import type { Writable } from 'node:stream';
import { absentInt32 } from '../../../../workloads/run/tables.ts';
import type { Ns } from '../../../../workloads/units.ts';
import { ChromeTraceWriter, type TraceArguments } from './chromeTrace.ts';
import { FlatLanes } from './lanes.ts';

/**
 * A run bundle as a trace: the phases of each request, the passes of each instance, and the transfers between instances.
 *
 *     requests    request 7 |── queue ──|── prefill ──|───── decode ─────|      one span per request, nested phases
 *     router         ▪ prefill → 3          an instant per decision, its scores and when its request was taken up as arguments
 *     instances   3  |iteration|iteration|…
 */
export interface TraceRows {
  readonly rows: number;
  /** Undefined where the table has no such column. Absent values are NaN, or `absentInt32`. */
  numbers(column: string): ArrayLike<number> | undefined;
  texts(column: string): ArrayLike<string> | undefined;
}

/** The bundle's tables, in order of their rows, a batch at a time. */
export interface RunTables {
  requests(): AsyncIterable<TraceRows>;
  iterations(): AsyncIterable<TraceRows>;
  decisions(): AsyncIterable<TraceRows>;
}

export interface RunTraceOptions {
  readonly title: string;
  /** Simulated times are modelled, and the trace says so. */
  readonly simulated: boolean;
  readonly instances: readonly string[];
  /** Replicate to write; a trace holds one, since each starts at time 0. */
  readonly replicate?: number;
}

const requestsPid = 1;
const routerPid = 2;
const instancesPid = 3;
const router = { pid: routerPid, tid: 1 };
/** Further lanes of an instance whose iterations overlap (stages of a pipeline) get rows of their own behind all others. */
const lanePid = 100_000;

export async function writeRunTrace(
  sink: Writable,
  tables: RunTables,
  options: RunTraceOptions,
): Promise<{ readonly events: number }> {
  const replicate = options.replicate ?? 0;
  const trace = new ChromeTraceWriter(sink);
  await trace.process(routerPid, 'router');
  await trace.thread(router, 'decisions');
  await trace.process(instancesPid, 'instances');
  for (const [i, name] of options.instances.entries())
    await trace.thread({ pid: instancesPid, tid: i + 1 }, `${i} · ${name}`);
  await trace.process(requestsPid, 'requests');

  /** When each request was first scheduled. */
  const scheduled = new Map<number, Ns>();
  for await (const rows of tables.requests()) {
    const at = reader(rows);
    for (let i = 0; i < rows.rows; i += 1) {
      if (at('iteration', i) !== undefined && at('iteration', i) !== replicate) continue;
      await writeRequest(trace, rows, at, i, scheduled);
    }
  }
  const lanes = new Map<number, FlatLanes>();
  const named = new Set<number>();
  for await (const rows of tables.iterations()) {
    const at = reader(rows);
    for (let i = 0; i < rows.rows; i += 1) {
      const [instance, start, end] = [at('instance', i), at('start_ns', i), at('end_ns', i)];
      if (
        (at('iteration', i) ?? replicate) !== replicate ||
        instance === undefined ||
        start === undefined ||
        end === undefined
      )
        continue;
      const prefill = at('prefill_tokens', i) ?? 0;
      const decode = at('decode_sequences', i) ?? 0;
      const name = prefill > 0 ? (decode > 0 ? 'prefill + decode' : 'prefill') : 'decode';
      const free = lanes.get(instance) ?? new FlatLanes();
      lanes.set(instance, free);
      const lane = free.take(start, end);
      const place = { pid: instancesPid, tid: lane === 0 ? instance + 1 : lane * lanePid + instance + 1 };
      if (lane > 0 && !named.has(place.tid)) {
        named.add(place.tid);
        const name = `${instance} · ${options.instances[instance] ?? ''} · lane ${lane + 1}`;
        await trace.thread(place, name, instance + 1);
      }
      await trace.slice(
        place,
        'iteration',
        name,
        start,
        end,
        present(at, i, ['passes', 'prefill_tokens', 'decode_sequences', 'context_tokens', 'kv_blocks']),
      );
    }
  }
  await writeDecisions(trace, tables, replicate, scheduled);
  await trace.end({
    title: options.title,
    clock: options.simulated ? 'simulated time, nothing was measured' : 'measured',
    replicate,
    writer: 'Dyno',
  });
  return { events: trace.events };
}

type Reader = (column: string, row: number) => number | undefined;

/** A number, or undefined where it is absent. */
const reader =
  (rows: TraceRows): Reader =>
  (column, row) => {
    const value = rows.numbers(column)?.[row];
    return value === undefined || Number.isNaN(value) || value === absentInt32 ? undefined : value;
  };

const present = (at: Reader, row: number, columns: readonly string[]): TraceArguments =>
  Object.fromEntries(
    columns.flatMap((column) => {
      const value = at(column, row);
      return value === undefined ? [] : [[column, value]];
    }),
  );

async function writeRequest(
  trace: ChromeTraceWriter,
  rows: TraceRows,
  at: Reader,
  i: number,
  scheduledAt: Map<number, Ns>,
): Promise<void> {
  const request = at('request', i);
  const arrival = at('arrival_ns', i);
  if (request === undefined || arrival === undefined) return;
  const scheduled = at('scheduled_ns', i);
  const first = at('first_token_ns', i);
  const finish = at('finish_ns', i);
  if (scheduled !== undefined) scheduledAt.set(request, scheduled);
  const end = finish ?? first ?? scheduled ?? arrival;
  const status = rows.texts('status')?.[i] ?? '';
  const args = {
    ...(status === '' ? {} : { status }),
    ...present(at, i, [
      'prompt_tokens',
      'output_tokens',
      'cached_tokens',
      'prefill_instance',
      'decode_instance',
      'ttft_ms',
      'tpot_ms',
      'e2e_ms',
    ]),
  };
  const id = String(request);
  const whole = `request ${request}`;
  const finished = Math.max(arrival, end);
  await trace.open(requestsPid, 'request', id, whole, arrival, args);
  if (scheduled !== undefined) await trace.span(requestsPid, 'request', id, 'queue', arrival, scheduled);
  if (scheduled !== undefined && first !== undefined)
    await trace.span(requestsPid, 'request', id, 'prefill', scheduled, first);
  if (first !== undefined && finish !== undefined)
    await trace.span(requestsPid, 'request', id, 'decode', first, finish);
  await trace.close(requestsPid, 'request', id, whole, finished);
}

interface OpenDecision {
  readonly request: number;
  readonly time: Ns;
  readonly stage: string;
  chosen: number | undefined;
  readonly scores: Record<string, number>;
}

async function writeDecisions(
  trace: ChromeTraceWriter,
  tables: RunTables,
  replicate: number,
  scheduled: ReadonlyMap<number, Ns>,
): Promise<void> {
  let open: OpenDecision | undefined;
  const close = async () => {
    if (open?.chosen === undefined) return;
    const { request, time, stage, chosen, scores } = open;
    const taken = stage === 'prefill' ? scheduled.get(request) : undefined;
    await trace.mark(router, 'decision', `request ${request} · ${stage} → ${chosen}`, time, {
      request,
      stage,
      chosen,
      ...(taken === undefined ? {} : { 'taken up at (ns)': taken }),
      ...scores,
    });
  };
  for await (const rows of tables.decisions()) {
    const at = reader(rows);
    const stages = rows.texts('stage');
    for (let i = 0; i < rows.rows; i += 1) {
      const [request, time, instance] = [at('request', i), at('time_ns', i), at('instance', i)];
      if (
        (at('iteration', i) ?? replicate) !== replicate ||
        request === undefined ||
        time === undefined ||
        instance === undefined
      )
        continue;
      const stage = stages?.[i] ?? '';
      // Candidates of one decision lie in consecutive rows.
      if (open === undefined || open.request !== request || open.time !== time || open.stage !== stage) {
        await close();
        open = { request, time, stage, chosen: undefined, scores: {} };
      }
      const score = at('score', i);
      if (score !== undefined) open.scores[`score ${instance}`] = score;
      if (at('chosen', i) === 1) open.chosen = instance;
    }
  }
  await close();
}
