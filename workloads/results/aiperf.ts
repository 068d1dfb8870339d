import { InputError } from '../run/inputError.ts';
import { defined, isObject, type Json, membersOf, numberOr, shown, textOr } from './jsonValues.ts';
import type { MeasuredResult, ResultRequest } from './measuredResult.ts';

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  sec: 1000,
  seconds: 1000,
  nanoseconds: 1e-6,
  microseconds: 1e-3,
  milliseconds: 1,
};

/**
 * AIPerf's profile_export.jsonl, one object per request, row by row. Rows of its warm-up are counted and left out; times are
 * nanoseconds of the wall clock, beyond 2^53: their differences are taken as they come (about 0.3 µs).
 */
export class AiperfRecords {
  private readonly file: string;
  private readonly rows: { readonly request: ResultRequest; readonly arrivalNs: number }[] = [];
  private warmUps = 0;
  private cancelled = 0;
  private firstNs: number | undefined;
  private lastNs = 0;
  private hasCredit = true;

  constructor(file: string) {
    this.file = file;
  }

  row(value: unknown, line: number): void {
    const { metadata, metrics, error } = membersOf(value);
    if (!isObject(metadata) || !(isObject(metrics) || error !== undefined))
      throw new InputError(
        `${this.file}:${line}: found ${shown(value)}, expected an object with metadata and metrics`,
      );
    if (metadata['benchmark_phase'] === 'warmup') {
      this.warmUps += 1;
      return;
    }
    const start = numberOr(metadata['request_start_ns']);
    const end = numberOr(metadata['request_end_ns']);
    if (start === undefined)
      throw new InputError(
        `${this.file}:${line}: request_start_ns is ${shown(metadata['request_start_ns'])}, expected nanoseconds`,
      );
    const credit = numberOr(metadata['credit_issued_ns']);
    if (credit === undefined) this.hasCredit = false;
    const arrival = credit ?? start;
    this.firstNs = Math.min(this.firstNs ?? arrival, arrival);
    this.lastNs = Math.max(this.lastNs, end ?? start);
    if (metadata['was_cancelled'] === true) this.cancelled += 1;
    const times = { arrival, start, credit };
    const request = requestOf(this.file, line, metadata, membersOf(metrics), error, times);
    this.rows.push({ request, arrivalNs: arrival });
  }

  /** The run; `summary` is the profile_export_aiperf.json beside it, where there is one. */
  result(summary?: Json): MeasuredResult {
    const first = this.firstNs ?? 0;
    const about = summary === undefined ? undefined : readAiperfSummary(this.file, summary);
    const requests = this.rows
      .map(({ request, arrivalNs }) => ({ ...request, arrivalMs: (arrivalNs - first) / 1e6 }))
      .sort((a, b) => a.arrivalMs - b.arrivalMs);
    return defined<MeasuredResult>({
      format: 'aiperf-records',
      tool: 'AIPerf',
      version: about?.version,
      model: about?.model,
      part: undefined,
      started: new Date(first / 1e6).toISOString(),
      durationS: this.firstNs === undefined ? undefined : (this.lastNs - first) / 1e9,
      requests,
      figures: about?.figures ?? {},
      settings: about?.settings ?? {},
      unknown: [
        ...(this.hasCredit ? [] : ['the intended send times: latencies count from the actual send']),
        ...['finish reasons', 'which server answered'],
        ...(requests.some(({ cachedTokens }) => cachedTokens !== undefined) ? [] : ['cached tokens']),
      ],
      remarks: [
        ...(this.warmUps > 0 ? [`${this.warmUps} requests of the warm-up are left out`] : []),
        ...(this.cancelled > 0 ? [`${this.cancelled} requests were cancelled: they count as failed`] : []),
      ],
    });
  }
}

interface Times {
  readonly arrival: number;
  readonly start: number;
  readonly credit: number | undefined;
}

function requestOf(
  file: string,
  line: number,
  metadata: Json,
  metrics: Json,
  error: unknown,
  times: Times,
): ResultRequest {
  const inMs = (tag: string): number | undefined => {
    const { value, unit } = membersOf(metrics[tag]);
    const number = numberOr(value);
    if (number === undefined) return undefined;
    const factor = unitMs[String(unit)];
    if (factor !== undefined) return number * factor;
    throw new InputError(`${file}:${line}: ${tag} has the unit ${shown(unit)}, expected ms, s, us or ns`);
  };
  const count = (tag: string): number | undefined => numberOr(membersOf(metrics[tag])['value']);
  const delayMs = times.credit === undefined ? undefined : (times.start - times.credit) / 1e6;
  const late = delayMs ?? 0;
  const failed = isObject(error) || metadata['was_cancelled'] === true;
  const latency = inMs('request_latency');
  const ttft = inMs('time_to_first_token');
  const base = {
    promptTokens: count('input_sequence_length') ?? count('error_isl'),
    session: textOr(metadata['conversation_id']) ?? textOr(metadata['x_correlation_id']),
    requestId: textOr(metadata['x_request_id']),
  };
  if (failed)
    return defined<ResultRequest>({
      ...{ status: 'failed', ...base },
      error: textOr(membersOf(error)['message']) ?? textOr(membersOf(error)['type']) ?? 'cancelled',
    });
  const list = membersOf(metrics['inter_chunk_latency'])['value'];
  const listUnit = unitMs[String(membersOf(metrics['inter_chunk_latency'])['unit'])] ?? 1;
  return defined<ResultRequest>({
    ...{ status: 'completed', ...base, delayMs },
    ttftMs: ttft === undefined ? undefined : ttft + late,
    e2eMs: latency === undefined ? undefined : latency + late,
    tpotMs: inMs('inter_token_latency'),
    outputTokens: count('output_sequence_length') ?? count('output_token_count'),
    cachedTokens: count('usage_prompt_cache_read_tokens') ?? count('cached_tokens'),
    gapsMs: Array.isArray(list)
      ? list.flatMap((gap) => (typeof gap === 'number' ? [gap * listUnit] : []))
      : undefined,
  });
}

const statistics = ['avg', 'min', 'max', 'std', 'p50', 'p90', 'p95', 'p99', 'count'] as const;

/** profile_export_aiperf.json: one top-level object per metric. */
export function readAiperfSummary(_file: string, value: Json): MeasuredResult {
  const figures: Record<string, number> = {};
  for (const [tag, metric] of Object.entries(value)) {
    if (!isObject(metric) || typeof metric['unit'] !== 'string') continue;
    for (const statistic of statistics) {
      const number = numberOr(metric[statistic]);
      if (number !== undefined) figures[`${tag}.${statistic}`] = number;
    }
  }
  const config = membersOf(value['input_config']);
  const endpoint = membersOf(config['endpoint']);
  const load = membersOf(config['loadgen']);
  const [name] = Array.isArray(endpoint['model_names']) ? endpoint['model_names'] : [];
  const [item] = Array.isArray(membersOf(config['models'])['items'])
    ? (membersOf(config['models'])['items'] as readonly unknown[])
    : [];
  const settings: Record<string, string | number> = {};
  for (const key of ['concurrency', 'request_rate', 'request_count', 'benchmark_duration']) {
    const found = load[key];
    if (typeof found === 'number' || typeof found === 'string') settings[key] = found;
  }
  return defined<MeasuredResult>({
    format: 'aiperf-summary',
    tool: 'AIPerf',
    version: textOr(value['aiperf_version']),
    model: textOr(membersOf(item)['name']) ?? textOr(name),
    part: undefined,
    started: textOr(value['start_time']),
    durationS: figures['benchmark_duration.avg'],
    requests: [],
    figures,
    settings,
    unknown: ['every request: the file has aggregates only; profile_export.jsonl beside it has them'],
    remarks: value['was_cancelled'] === true ? ['the benchmark was cancelled'] : [],
  });
}
