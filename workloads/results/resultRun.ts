import { distribution } from '../metrics/percentile.ts';
import { type RunSpec, runSpec } from '../run/spec.ts';
import type { Distribution, LatencyMetricId } from '../run/summary.ts';
import { absentInt32, type Batch, requestsTable } from '../run/tables.ts';
import type { Traffic } from '../traffic/traffic.ts';
import { TrafficBuilder } from '../traffic/trafficBuilder.ts';
import type { Ms } from '../units.ts';
import type { MeasuredResult, ResultRequest } from './measuredResult.ts';

/** A measured result in the tables, the summary and the spec of a run. */

const ns = (value: Ms | undefined): number => (value === undefined ? Number.NaN : Math.round(value * 1e6));
const at = (a: Ms | undefined, b: Ms | undefined): Ms | undefined =>
  a === undefined || b === undefined ? undefined : a + b;

/** The arrivals count from the first one that is known. */
function originOf(requests: readonly ResultRequest[]): Ms {
  let first = Number.POSITIVE_INFINITY;
  for (const { arrivalMs } of requests) if (arrivalMs !== undefined && arrivalMs < first) first = arrivalMs;
  return Number.isFinite(first) ? first : 0;
}

/** One batch of the requests table. What the file does not know is absent. */
export function requestRows({ requests }: MeasuredResult): Batch {
  const n = requests.length;
  const origin = originOf(requests);
  const sent = (r: ResultRequest) => (r.arrivalMs === undefined ? undefined : r.arrivalMs - origin);
  const int = (of: (r: ResultRequest) => number | undefined) =>
    Int32Array.from(requests, (r) => {
      const value = of(r);
      return value === undefined ? absentInt32 : Math.round(value);
    });
  const float = (of: (r: ResultRequest) => number | undefined) =>
    Float64Array.from(requests, (r) => of(r) ?? Number.NaN);
  const time = (of: (r: ResultRequest) => Ms | undefined) => Float64Array.from(requests, (r) => ns(of(r)));
  const columns: Readonly<Record<string, Batch['data'][number]>> = {
    iteration: new Int32Array(n),
    request: Int32Array.from({ length: n }, (_, i) => i),
    status: requests.map(({ status }) => status),
    arrival_ns: time(sent),
    first_token_ns: time((r) => at(sent(r), r.ttftMs)),
    finish_ns: time((r) => at(sent(r), r.e2eMs)),
    prompt_tokens: int((r) => r.promptTokens),
    output_tokens: int((r) => r.outputTokens),
    cached_tokens: int((r) => r.cachedTokens),
    ttft_ms: float((r) => r.ttftMs),
    tpot_ms: float((r) => r.tpotMs),
    e2e_ms: float((r) => r.e2eMs),
  };
  return {
    schema: requestsTable,
    rows: n,
    data: requestsTable.columns.map(({ name, type }) => columns[name] ?? absentColumn(type, n)),
  };
}

function absentColumn(
  type: (typeof requestsTable.columns)[number]['type'],
  rows: number,
): Batch['data'][number] {
  switch (type) {
    case 'float64':
    case 'ns':
      return new Float64Array(rows).fill(Number.NaN);
    case 'int32':
      return new Int32Array(rows).fill(absentInt32);
    case 'bool':
      return new Uint8Array(rows).fill(2);
    case 'text':
      return Array.from({ length: rows }, () => '');
    default: {
      const never: never = type;
      throw new RangeError(String(never));
    }
  }
}

/** Figures over the completed requests. Keys that cannot be computed from the file are absent. */
export function resultSummary(result: MeasuredResult, spec: RunSpec): object {
  const completed = result.requests.filter(({ status }) => status === 'completed');
  const metrics: Partial<Record<LatencyMetricId, Distribution>> = {};
  const add = (id: LatencyMetricId, values: readonly number[]): void => {
    const found = distribution(Float64Array.from(values));
    if (found !== undefined) metrics[id] = found;
  };
  const known = (of: (r: ResultRequest) => number | undefined) =>
    completed.flatMap((r) => {
      const value = of(r);
      return value === undefined ? [] : [value];
    });
  add(
    'ttft_ms',
    known(({ ttftMs }) => ttftMs),
  );
  add(
    'tpot_ms',
    known(({ tpotMs }) => tpotMs),
  );
  add(
    'e2e_ms',
    known(({ e2eMs }) => e2eMs),
  );
  const gaps = completed.flatMap(({ gapsMs }) => (gapsMs === undefined ? [] : [gapsMs]));
  add('itl_ms', gaps.flat());
  add(
    'tbt10_ms',
    gaps.flatMap((list) => (list.length === 0 ? [] : [meanOfLongest(list)])),
  );
  const origin = originOf(result.requests);
  const ends = known((r) => at(r.arrivalMs === undefined ? undefined : r.arrivalMs - origin, r.e2eMs));
  const makespan = result.durationS ?? (ends.length > 0 ? Math.max(...chunkMaxima(ends)) / 1000 : undefined);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const prompts = known(({ promptTokens }) => promptTokens);
  const outputs = known(({ outputTokens }) => outputTokens);
  const perSecond = (amount: number): number | undefined =>
    makespan !== undefined && makespan > 0 ? amount / makespan : undefined;
  const rates = {
    throughput_rps: perSecond(completed.length),
    output_tokens_per_s: outputs.length > 0 ? perSecond(sum(outputs)) : undefined,
    prompt_tokens_per_s: prompts.length > 0 ? perSecond(sum(prompts)) : undefined,
  };
  const arrived = result.requests.length;
  return {
    ...{ schema: 1, imported: true, target: spec.target, variant: spec.variant, engine: spec.engine },
    ...{ simulated: false, seed: spec.seed, iterations: 1, metrics },
    ...(arrived === 0
      ? {}
      : {
          requests: {
            ...{ arrived, completed: completed.length, failed: arrived - completed.length },
          },
          ...Object.fromEntries(Object.entries(rates).filter(([, value]) => value !== undefined)),
        }),
    ...(makespan === undefined ? {} : { makespan_s: makespan }),
    /** What the file itself says, under its own names. */
    reported: result.figures,
  };
}

/** Mean of the longest tenth of the gaps, one at least (Mooncake's TBT). */
function meanOfLongest(gaps: readonly number[]): number {
  const longest = [...gaps].sort((a, b) => b - a).slice(0, Math.max(1, Math.ceil(gaps.length / 10)));
  return longest.reduce((sum, gap) => sum + gap, 0) / longest.length;
}

/** Math.max takes as many arguments as the stack holds: a million ends are taken in pieces. */
function chunkMaxima(values: readonly number[]): number[] {
  const maxima: number[] = [];
  for (let from = 0; from < values.length; from += 10_000)
    maxima.push(Math.max(...values.slice(from, from + 10_000)));
  return maxima;
}

/** The completed requests at the same times, for a replay. Undefined where the file lacks arrivals or lengths. */
export function resultTraffic(name: string, result: MeasuredResult): Traffic | undefined {
  const origin = originOf(result.requests);
  const builder = new TrafficBuilder(name, 0);
  const sessions = new Map<string, number>();
  for (const { status, arrivalMs, promptTokens, outputTokens, session } of result.requests) {
    if (status !== 'completed') continue;
    if (arrivalMs === undefined || !(promptTokens !== undefined && promptTokens >= 1)) return undefined;
    if (!(outputTokens !== undefined && outputTokens >= 1)) return undefined;
    const index = session === undefined ? absentInt32 : (sessions.get(session) ?? sessions.size);
    if (session !== undefined) sessions.set(session, index);
    builder.request(ns(arrivalMs - origin), promptTokens, outputTokens, 0, index);
  }
  return builder.requests === 0 ? undefined : builder.traffic();
}

/**
 * The spec of an imported run. The file tells nothing of the cluster: it appears as one server, and the numbers of its
 * scheduler are those of a plain vLLM, used only when the run is predicted. `trace` holds the same requests for a replay.
 */
export function resultSpec(result: MeasuredResult, trace: string): RunSpec {
  return runSpec.parse({
    ...{ schema: 2, target: 'imported', variant: result.format, engine: 'http' },
    parameters: Object.fromEntries(Object.entries(result.settings)),
    traffic: { kind: 'trace', path: trace, format: 'mooncake' },
    cluster: {
      model: result.model ?? 'unknown',
      instances: [
        {
          ...{ name: result.tool, pool: 'mixed', serves: 'server', url: 'http://imported.invalid' },
          ...(result.model === undefined ? {} : { served_model: result.model }),
        },
      ],
      scheduler: { max_batched_tokens: 8192, max_sequences: 256 },
      kv: { block_tokens: 16, prefix_reuse: true },
      link: { bandwidth_gb_per_s: 64, latency_us: 0 },
    },
    policy: { router: 'round_robin', router_parameters: {} },
    ...{ slo: {}, seed: 0, iterations: 1, detail: {} },
  });
}
