import { defined, isObject, type Json, membersOf, numberOr, textOr } from './jsonValues.ts';
import type { MeasuredResult, ResultRequest } from './measuredResult.ts';

const ms = (seconds: number): number => seconds * 1000;

/** guidellm's benchmarks.json: one result per benchmark (a sweep holds several); times are seconds since 1970. */
export function readGuidellm(_file: string, value: Json): MeasuredResult[] {
  const list: unknown = value['benchmarks'];
  const benchmarks = Array.isArray(list) ? list.filter(isObject) : [];
  const version = textOr(membersOf(value['metadata'])['guidellm_version']);
  return benchmarks.map((benchmark, i) => {
    const groups = membersOf(benchmark['requests']);
    const of = (name: string, status: ResultRequest['status']) => {
      const rows: unknown = groups[name];
      return Array.isArray(rows) ? rows.filter(isObject).map((row) => requestOf(row, status)) : [];
    };
    const requests = [...of('successful', 'completed'), ...of('errored', 'failed')].sort(
      (a, b) => (a.arrivalMs ?? 0) - (b.arrivalMs ?? 0),
    );
    const incomplete: unknown = groups['incomplete'];
    const unfinished = Array.isArray(incomplete) ? incomplete.length : 0;
    const scheduler = membersOf(benchmark['scheduler_metrics']);
    const start = numberOr(scheduler['start_time']) ?? numberOr(benchmark['start_time']);
    const end = numberOr(scheduler['end_time']) ?? numberOr(benchmark['end_time']);
    const config = membersOf(benchmark['config']);
    const strategy = membersOf(config['strategy'] ?? benchmark['scheduler']);
    const settings: Record<string, string | number> = {};
    for (const key of ['type_', 'rate', 'streams', 'max_concurrency']) {
      const found = strategy[key];
      if (typeof found === 'string' || typeof found === 'number') settings[key] = found;
    }
    const hasTarget = requests.every(({ delayMs }) => delayMs !== undefined) && requests.length > 0;
    return defined<MeasuredResult>({
      format: 'guidellm',
      tool: 'guidellm',
      version,
      model: textOr(membersOf(config['backend'])['model']) ?? textOr(membersOf(value['config'])['model']),
      part: benchmarks.length > 1 ? `benchmark ${i + 1} of ${benchmarks.length}` : undefined,
      started: start === undefined ? undefined : new Date(ms(start)).toISOString(),
      durationS: start === undefined || end === undefined ? undefined : end - start,
      requests: requests.map((row) =>
        row.arrivalMs === undefined || start === undefined
          ? row
          : { ...row, arrivalMs: row.arrivalMs - ms(start) },
      ),
      figures: figuresOf(membersOf(benchmark['metrics'])),
      settings,
      unknown: [
        ...(hasTarget ? [] : ['the intended send times: latencies count from the actual send']),
        ...['finish reasons', 'cached tokens'],
      ],
      remarks: unfinished > 0 ? [`${unfinished} requests were cut off by the end: they are left out`] : [],
    });
  });
}

function requestOf(row: Json, status: ResultRequest['status']): ResultRequest {
  const info = membersOf(row['info'] ?? row['scheduler_info']);
  const times = membersOf(info['timings'] ?? info['request_timings']);
  const at = (...names: readonly string[]): number | undefined => {
    for (const name of names) {
      const found = numberOr(times[name]) ?? numberOr(row[name]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const target = at('targeted_start');
  const start = at('request_start', 'start_time');
  const arrival = target ?? start;
  const first = at('first_token_iteration', 'first_token_time', 'first_iteration');
  const last = at('last_token_iteration', 'last_token_time', 'last_iteration');
  const end = at('request_end', 'end_time');
  const prompt = membersOf(row['input_metrics']);
  const answer = membersOf(row['output_metrics']);
  const output =
    numberOr(row['output_tokens']) ?? numberOr(answer['text_tokens']) ?? numberOr(answer['total_tokens']);
  const promptTokens =
    numberOr(row['prompt_tokens']) ?? numberOr(prompt['text_tokens']) ?? numberOr(prompt['total_tokens']);
  const base = {
    status,
    arrivalMs: arrival === undefined ? undefined : ms(arrival),
    delayMs: target === undefined || start === undefined ? undefined : ms(start - target),
    promptTokens,
    session: textOr(info['conversation_id']),
    requestId: textOr(row['request_id']),
  };
  if (status === 'failed')
    return defined<ResultRequest>({
      ...base,
      error: textOr(info['error']) ?? textOr(row['error']) ?? 'failed',
    });
  const done = last ?? end;
  return defined<ResultRequest>({
    ...{ ...base, outputTokens: output },
    ttftMs: first === undefined || arrival === undefined ? undefined : ms(first - arrival),
    e2eMs: done === undefined || arrival === undefined ? undefined : ms(done - arrival),
    tpotMs:
      first === undefined || last === undefined || output === undefined || output < 2
        ? undefined
        : ms(last - first) / (output - 1),
  });
}

/** Means and medians of the successful requests, under guidellm's own names. */
function figuresOf(metrics: Json): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const [name, metric] of Object.entries(metrics)) {
    const successful = membersOf(membersOf(metric)['successful']);
    for (const statistic of ['mean', 'median', 'count']) {
      const number = numberOr(successful[statistic]);
      if (number !== undefined) figures[`${name}.${statistic}`] = number;
    }
    const p99 = numberOr(membersOf(successful['percentiles'])['p99']);
    if (p99 !== undefined) figures[`${name}.p99`] = p99;
  }
  return figures;
}
