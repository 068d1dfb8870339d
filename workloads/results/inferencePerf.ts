import { InputError } from '../run/inputError.ts';
import { defined, isObject, type Json, membersOf, numberOr, shown, textOr } from './jsonValues.ts';
import type { MeasuredResult, ResultRequest } from './measuredResult.ts';

const ms = (seconds: number): number => seconds * 1000;

/** inference-perf's per_request_lifecycle_metrics.json: a list; times are seconds of a monotonic clock. */
export function readInferencePerfRequests(file: string, list: readonly unknown[]): MeasuredResult {
  const requests = list.map((item, i): ResultRequest => {
    const row = membersOf(item);
    const start = numberOr(row['start_time']);
    const end = numberOr(row['end_time']);
    if (start === undefined || end === undefined)
      throw new InputError(
        `${file}: request ${i}: found ${shown(item)}, expected start_time and end_time in seconds`,
      );
    const info = membersOf(row['info']);
    const answer = membersOf(info['response_metrics']);
    const asked = membersOf(membersOf(info['request_metrics'])['text']);
    const tokens = timesOf(answer['output_token_times'] ?? info['output_token_times']);
    const error = row['error'];
    const base = {
      arrivalMs: ms(start),
      promptTokens: numberOr(asked['input_tokens']) ?? numberOr(info['input_tokens']),
    };
    if (isObject(error))
      return defined<ResultRequest>({
        ...{ status: 'failed', ...base },
        error: textOr(error['error_msg']) ?? textOr(error['error_type']) ?? 'failed',
      });
    const usage = membersOf(answer['server_usage']);
    const first = tokens[0];
    const last = tokens.at(-1);
    const output =
      numberOr(usage['completion_tokens']) ??
      numberOr(answer['output_tokens']) ??
      numberOr(info['output_tokens']);
    return defined<ResultRequest>({
      ...{ status: 'completed', ...base, outputTokens: output },
      ttftMs: first === undefined ? undefined : ms(first - start),
      e2eMs: ms((last ?? end) - start),
      tpotMs:
        first === undefined || last === undefined || output === undefined || output < 2
          ? undefined
          : ms(last - first) / (output - 1),
      gapsMs: tokens.length > 1 ? tokens.slice(1).map((at, k) => ms(at - (tokens[k] ?? at))) : undefined,
      cachedTokens: numberOr(membersOf(usage['prompt_tokens_details'])['cached_tokens']),
    });
  });
  requests.sort((a, b) => (a.arrivalMs ?? 0) - (b.arrivalMs ?? 0));
  return {
    format: 'inference-perf-requests',
    tool: 'inference-perf',
    requests,
    figures: {},
    settings: {},
    unknown: [
      'the time of day: its clock is monotonic only',
      'the intended send times: latencies count from the actual send',
      ...['finish reasons', 'sessions'],
    ],
    remarks: [],
  };
}

const timesOf = (value: unknown): readonly number[] =>
  Array.isArray(value) ? value.filter((at) => typeof at === 'number' && Number.isFinite(at)) : [];

/** summary_lifecycle_metrics.json or stage_N_lifecycle_metrics.json: aggregates in seconds. */
export function readInferencePerfReport(_file: string, value: Json): MeasuredResult {
  const figures: Record<string, number> = {};
  const walk = (found: unknown, path: string, depth: number): void => {
    const number = numberOr(found);
    if (number !== undefined) figures[path] = number;
    else if (isObject(found) && depth < 6)
      for (const [key, item] of Object.entries(found))
        walk(item, path === '' ? key : `${path}.${key}`, depth + 1);
  };
  walk(value, '', 0);
  const load = membersOf(value['load_summary']);
  const settings: Record<string, string | number> = {};
  for (const key of ['requested_rate', 'achieved_rate', 'concurrency']) {
    const number = numberOr(load[key]);
    if (number !== undefined) settings[key] = number;
  }
  return defined<MeasuredResult>({
    format: 'inference-perf-report',
    tool: 'inference-perf',
    ...{ version: undefined, model: undefined, part: undefined, started: undefined },
    durationS: numberOr(load['send_duration']),
    requests: [],
    figures,
    settings,
    unknown: ['every request: the file has aggregates only; per_request_lifecycle_metrics.json has them'],
    remarks: [],
  });
}
