import { distribution, exactSum, quantile } from '../metrics/percentile.ts';
import type { ResultRequest } from './measuredResult.ts';

/** A run of ours on its way into another tool's file. */
export interface ExportedRun {
  readonly run: string;
  readonly model: string;
  /** ms since 1970 at the run's time 0. */
  readonly startedMs: number;
  readonly durationS: number;
  /** Part of the tool's `backend`: `dyno-sim`, `dyno-http`. A simulated run says so there. */
  readonly engine: string;
  readonly dynoVersion: string;
  readonly requests: readonly ResultRequest[];
}

const completedOf = ({ requests }: ExportedRun): readonly ResultRequest[] =>
  requests.filter(({ status }) => status === 'completed');

const present = (rows: readonly ResultRequest[], of: (r: ResultRequest) => number | undefined): number[] =>
  rows.flatMap((row) => {
    const value = of(row);
    return value === undefined ? [] : [value];
  });

/** Population standard deviation, as numpy's. */
function deviation(values: readonly number[]): number {
  const mean = exactSum(values) / values.length;
  return Math.sqrt(exactSum(values.map((value) => (value - mean) * (value - mean))) / values.length);
}

const sum = (values: readonly number[]): number => exactSum(values);

/**
 * The result JSON of `vllm bench serve --save-result --save-detailed`: its plot tools read it. Seconds in the lists, ms in the
 * figures; failed requests have a ttft of 0 and an error, as there. `itls` is empty where the run kept no gaps.
 */
export function vllmResult(run: ExportedRun): object {
  const completed = completedOf(run);
  const { requests, durationS } = run;
  const inputs = present(completed, ({ promptTokens }) => promptTokens);
  const outputs = present(completed, ({ outputTokens }) => outputTokens);
  const gaps = completed.flatMap(({ gapsMs }) => gapsMs ?? []);
  const figures = (name: string, values: readonly number[]): object => {
    if (values.length === 0) return {};
    return {
      [`mean_${name}_ms`]: sum(values) / values.length,
      [`median_${name}_ms`]: quantile(values, 0.5),
      [`std_${name}_ms`]: deviation(values),
      [`p99_${name}_ms`]: quantile(values, 0.99),
    };
  };
  const perSecond = (amount: number): number => (durationS > 0 ? amount / durationS : 0);
  const seconds = (value: number | undefined): number => (value ?? 0) / 1000;
  return {
    date: dateText(run.startedMs),
    ...{ endpoint_type: 'openai', backend: run.engine, label: run.run },
    ...{ model_id: run.model, tokenizer_id: run.model, num_prompts: requests.length },
    ...{ request_rate: 'inf', burstiness: 1, max_concurrency: null, dyno_version: run.dynoVersion },
    ...{ duration: durationS, completed: completed.length, failed: requests.length - completed.length },
    ...{ total_input_tokens: sum(inputs), total_output_tokens: sum(outputs) },
    ...{ request_throughput: perSecond(completed.length), request_goodput: null },
    output_throughput: perSecond(sum(outputs)),
    total_token_throughput: perSecond(sum(inputs) + sum(outputs)),
    max_concurrent_requests: mostAtOnce(requests),
    ...figures(
      'ttft',
      present(completed, ({ ttftMs }) => ttftMs),
    ),
    ...figures(
      'tpot',
      present(completed, ({ tpotMs }) => tpotMs),
    ),
    ...figures('itl', gaps),
    ...figures(
      'e2el',
      present(completed, ({ e2eMs }) => e2eMs),
    ),
    input_lens: requests.map(({ promptTokens }) => promptTokens ?? 0),
    output_lens: requests.map(({ outputTokens, status }) =>
      status === 'completed' ? (outputTokens ?? 0) : 0,
    ),
    ttfts: requests.map(({ ttftMs, status }) => (status === 'completed' ? seconds(ttftMs) : 0)),
    itls: requests.map(({ gapsMs }) => (gapsMs ?? []).map(seconds)),
    latencies: requests.map(({ e2eMs, status }) => (status === 'completed' ? seconds(e2eMs) : 0)),
    start_times: requests.map(({ arrivalMs }) => seconds(arrivalMs)),
    generated_texts: requests.map(() => ''),
    errors: requests.map(({ status, error }) => (status === 'completed' ? '' : (error ?? 'failed'))),
  };
}

/** `20260301-120000`, as vLLM writes it. */
function dateText(startedMs: number): string {
  const [day = '', time = ''] = new Date(startedMs).toISOString().split('T');
  return `${day.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}`;
}

/** Most requests under way at one time, by a sweep over starts and ends. */
function mostAtOnce(requests: readonly ResultRequest[]): number {
  const edges = requests.flatMap(({ arrivalMs, e2eMs }) =>
    arrivalMs === undefined || e2eMs === undefined
      ? []
      : [
          { at: arrivalMs, step: 1 },
          { at: arrivalMs + e2eMs, step: -1 },
        ],
  );
  edges.sort((a, b) => a.at - b.at || a.step - b.step);
  let open = 0;
  let most = 0;
  for (const { step } of edges) {
    open += step;
    most = Math.max(most, open);
  }
  return most;
}

const metric = (value: number, unit: string) => ({ value, unit });

/** AIPerf's profile_export.jsonl, a line per request. */
export function* aiperfRecords(run: ExportedRun): Generator<string> {
  const originNs = BigInt(Math.round(run.startedMs)) * 1_000_000n;
  for (const [i, r] of run.requests.entries()) {
    const start = originNs + BigInt(Math.round((r.arrivalMs ?? 0) * 1e6));
    const end = start + BigInt(Math.round((r.e2eMs ?? 0) * 1e6));
    const isDone = r.status === 'completed';
    const metrics = {
      ...(r.promptTokens === undefined ? {} : { input_sequence_length: metric(r.promptTokens, 'tokens') }),
      ...(r.ttftMs === undefined || !isDone ? {} : { time_to_first_token: metric(r.ttftMs, 'ms') }),
      ...(r.e2eMs === undefined || !isDone ? {} : { request_latency: metric(r.e2eMs, 'ms') }),
      ...(r.tpotMs === undefined || !isDone ? {} : { inter_token_latency: metric(r.tpotMs, 'ms') }),
      ...(r.outputTokens === undefined || !isDone
        ? {}
        : { output_sequence_length: metric(r.outputTokens, 'tokens') }),
      ...(r.gapsMs === undefined ? {} : { inter_chunk_latency: { value: r.gapsMs, unit: 'ms' } }),
    };
    // Nanoseconds since 1970 are beyond what a number holds exactly: they are written as digits.
    const times = `"credit_issued_ns":${start},"request_start_ns":${start},"request_end_ns":${end}`;
    const session = JSON.stringify(r.session ?? `session-${i}`);
    const id = JSON.stringify(r.requestId ?? `${run.run}-${i}`);
    const rest = `"worker_id":"dyno","record_processor_id":"dyno","benchmark_phase":"profiling","was_cancelled":false`;
    const error = isDone
      ? 'null'
      : JSON.stringify({ code: null, type: 'Failed', message: r.error ?? 'failed' });
    yield `{"metadata":{"session_num":${i},"x_request_id":${id},"conversation_id":${session},${times},${rest}},"metrics":${JSON.stringify(metrics)},"error":${error}}\n`;
  }
}

/** AIPerf's profile_export_aiperf.json, whose plot tool wants it beside the records. */
export function aiperfSummary(run: ExportedRun): object {
  const completed = completedOf(run);
  const of = (unit: string, values: readonly number[]): object | undefined => {
    const found = distribution(values);
    if (found === undefined) return undefined;
    const percentiles = [1, 5, 10, 25, 50, 75, 90, 95, 99].map((p) => [`p${p}`, quantile(values, p / 100)]);
    return {
      ...{ unit, avg: found.mean, min: found.min, max: found.max, std: deviation(values), count: found.n },
      ...Object.fromEntries(percentiles),
    };
  };
  const single = (unit: string, value: number) => ({ unit, avg: value });
  const outputs = present(completed, ({ outputTokens }) => outputTokens);
  const latencies: Readonly<Record<string, object | undefined>> = {
    time_to_first_token: of(
      'ms',
      present(completed, ({ ttftMs }) => ttftMs),
    ),
    request_latency: of(
      'ms',
      present(completed, ({ e2eMs }) => e2eMs),
    ),
    inter_token_latency: of(
      'ms',
      present(completed, ({ tpotMs }) => tpotMs),
    ),
    output_sequence_length: of('tokens', outputs),
    input_sequence_length: of(
      'tokens',
      present(completed, ({ promptTokens }) => promptTokens),
    ),
  };
  const { durationS } = run;
  return {
    ...{ schema_version: '1.0', aiperf_version: `dyno-${run.dynoVersion}`, benchmark_id: run.run },
    ...Object.fromEntries(Object.entries(latencies).filter(([, value]) => value !== undefined)),
    request_count: single('requests', completed.length),
    error_request_count: single('requests', run.requests.length - completed.length),
    benchmark_duration: single('sec', durationS),
    ...(durationS > 0
      ? {
          request_throughput: single('requests/sec', completed.length / durationS),
          output_token_throughput: single('tokens/sec', sum(outputs) / durationS),
        }
      : {}),
    input_config: {
      endpoint: { model_names: [run.model], type: run.engine },
      loadgen: { request_count: run.requests.length },
    },
    was_cancelled: false,
    error_summary: [],
    start_time: new Date(run.startedMs).toISOString(),
    end_time: new Date(run.startedMs + durationS * 1000).toISOString(),
  };
}
