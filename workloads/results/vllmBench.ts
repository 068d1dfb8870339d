import { InputError } from '../run/inputError.ts';
import {
  defined,
  figuresOf,
  type Json,
  listAt,
  numberOr,
  numbersAt,
  settingsOf,
  shown,
  textOr,
} from './jsonValues.ts';
import type { MeasuredResult, ResultFormatId, ResultRequest } from './measuredResult.ts';

/**
 * The result JSON of `vllm bench serve` (with or without --save-detailed) and of SGLang's bench_serving (one object per line,
 * with or without --output-details): the same per-request arrays, in seconds. A failed request has a ttft of 0.
 */
export function readVllmBench(file: string, value: Json, format: ResultFormatId): MeasuredResult {
  const isSglang = format === 'sglang-bench';
  const seconds = (name: string) => numbersAt(file, value, name);
  const inputs = seconds('input_lens');
  const outputs = seconds('output_lens');
  const ttfts = seconds('ttfts');
  const starts = seconds('start_times');
  const latencies = seconds('latencies');
  const queues = seconds('queue_times');
  const itls = listAt(file, value, 'itls');
  const errors = listAt(file, value, 'errors');
  const count = sameLength(file, {
    ...{ input_lens: inputs, output_lens: outputs, ttfts, start_times: starts, latencies },
    ...{ queue_times: queues, itls, errors },
  });
  const requests = Array.from({ length: count }, (_, i): ResultRequest => {
    const ttft = ttfts?.[i];
    const gaps = gapsOf(file, itls?.[i], i);
    const error = textOr(errors?.[i]);
    const output = outputs?.[i];
    const start = starts?.[i];
    const queue = queues?.[i] ?? undefined;
    const latency = latencies?.[i];
    const hasNoToken = ttft === 0 || (ttft === undefined && output === 0);
    const known = { promptTokens: inputs?.[i], error };
    const arrivalMs = start === undefined ? undefined : ms(start - (queue ?? 0));
    if (error !== undefined || hasNoToken)
      return defined<ResultRequest>({ status: 'failed', arrivalMs, ...known });
    const gapSum = gaps === undefined ? undefined : gaps.reduce((sum, gap) => sum + gap, 0);
    const e2e = latency ?? (ttft === undefined || gapSum === undefined ? undefined : ttft + gapSum);
    const isLong = output !== undefined && output > 1;
    return defined<ResultRequest>({
      ...{ status: 'completed', arrivalMs, ...known, outputTokens: output },
      ttftMs: ttft === undefined ? undefined : ms(ttft + (queue ?? 0)),
      e2eMs: e2e === undefined ? undefined : ms(e2e + (queue ?? 0)),
      tpotMs: isLong && e2e !== undefined && ttft !== undefined ? ms(e2e - ttft) / (output - 1) : undefined,
      delayMs: queue === undefined ? undefined : ms(queue),
      gapsMs: gaps?.map(ms),
    });
  });
  const notCounted = count === 0 ? 'every request: the file has aggregates only' : undefined;
  return defined<MeasuredResult>({
    format,
    tool: isSglang ? 'SGLang bench_serving' : 'vLLM bench serve',
    version: undefined,
    model: textOr(value['model_id']) ?? textOr(value['model']),
    part: undefined,
    started: dateOf(textOr(value['date'])),
    durationS: numberOr(value['duration']),
    requests: starts === undefined ? requests : inOrder(requests),
    figures: figuresOf(value, (name) => !settings.includes(name)),
    settings: settingsOf(value, settings),
    unknown: [
      ...(notCounted === undefined ? [] : [notCounted]),
      ...(count > 0 && starts === undefined ? ['when each request was sent'] : []),
      ...(count > 0 && queues === undefined
        ? ['the intended send times: latencies count from the actual send']
        : []),
      ...(count > 0 && itls !== undefined ? ['tokens per chunk: gaps are between chunks'] : []),
      ...['finish reasons', 'request ids', 'cached tokens', 'sessions'],
    ],
    remarks: [],
  });
}

const settings: readonly string[] = [
  ...['backend', 'endpoint_type', 'label', 'tokenizer_id', 'num_prompts', 'request_rate', 'burstiness'],
  ...['max_concurrency', 'ramp_up_strategy', 'ramp_up_start_rps', 'ramp_up_end_rps', 'dataset_name'],
  ...['random_input_len', 'random_output_len', 'random_range_ratio', 'sharegpt_output_len'],
];

const ms = (seconds: number): number => seconds * 1000;

/** How many requests the lists speak of; InputError where they disagree. */
function sameLength(file: string, lists: Readonly<Record<string, readonly unknown[] | undefined>>): number {
  let first: readonly [string, number] | undefined;
  for (const [name, list] of Object.entries(lists)) {
    // vLLM leaves lists of requests that it did not measure empty.
    if (list === undefined || list.length === 0) continue;
    if (first !== undefined && list.length !== first[1])
      throw new InputError(
        `${file}: ${name} has ${list.length} entries, ${first[0]} ${first[1]}; expected as many`,
      );
    first ??= [name, list.length];
  }
  return first?.[1] ?? 0;
}

function gapsOf(file: string, value: unknown, i: number): readonly number[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new InputError(`${file}: itls[${i}] is ${shown(value)}, expected a list`);
  return value.map((gap) => {
    if (typeof gap === 'number' && Number.isFinite(gap)) return gap;
    throw new InputError(`${file}: itls[${i}] holds ${shown(gap)}, expected seconds`);
  });
}

/** `20260301-120000` as ISO 8601 in UTC; the file does not name its zone. */
function dateOf(text: string | undefined): string | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/.exec(text ?? '');
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}

const inOrder = (requests: readonly ResultRequest[]): ResultRequest[] =>
  [...requests].sort((a, b) => (a.arrivalMs ?? 0) - (b.arrivalMs ?? 0));
