import type { Ms } from '../../units.ts';

/** The parts of an event or of an error body that are parsed as JSON: the last event, errors, the server's own times. */
export interface AnswerDetails {
  readonly finishReason?: string;
  readonly error?: string;
  readonly serverTimes?: ServerTimes;
  readonly worker?: string;
}

/**
 * What the server measured itself, in ms. TTFT counts from the request's arrival at the server where it says so:
 * vLLM's `queue_time_ms` + `time_to_first_token_ms` (the latter runs from scheduling), llama.cpp's `prompt_ms` (without
 * queueing: it has no time for that), Dynamo's `nvext.timing.ttft_ms`.
 */
export interface ServerTimes {
  readonly source: 'vllm' | 'llama.cpp' | 'dynamo';
  readonly queue?: Ms;
  readonly ttft?: Ms;
  /** From the first to the last token. */
  readonly generation?: Ms;
  readonly itlMean?: Ms;
}

type Json = { readonly [key: string]: unknown };

const objectIn = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
const numberIn = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;

/** Undefined where the text is no JSON object. */
export function answerDetails(text: string): AnswerDetails | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const event = objectIn(parsed);
  if (event === undefined) return undefined;
  const finishReason = finishReasonOf(event);
  const error = errorOf(event);
  const serverTimes = serverTimesOf(event);
  const worker = workerOf(event);
  return {
    ...(finishReason === undefined ? {} : { finishReason }),
    ...(error === undefined ? {} : { error }),
    ...(serverTimes === undefined ? {} : { serverTimes }),
    ...(worker === undefined ? {} : { worker }),
  };
}

function finishReasonOf(event: Json): string | undefined {
  const choices = Array.isArray(event['choices']) ? event['choices'] : [];
  for (const choice of choices) {
    const reason = objectIn(choice)?.['finish_reason'];
    if (typeof reason === 'string') return reason;
  }
  const reason = objectIn(event['meta_info'])?.['finish_reason'];
  if (typeof reason === 'string') return reason;
  const type = objectIn(reason)?.['type'];
  return typeof type === 'string' ? type : undefined;
}

/** One line out of OpenAI's, vLLM's, llama.cpp's, FastAPI's and SGLang's shapes. */
function errorOf(event: Json): string | undefined {
  const error = event['error'];
  const inner = objectIn(error);
  if (inner !== undefined) {
    const kind = inner['type'] ?? inner['code'];
    const message = inner['message'];
    const said = typeof message === 'string' ? message : JSON.stringify(inner);
    return oneLine(typeof kind === 'string' || typeof kind === 'number' ? `${said} (${kind})` : said);
  }
  if (typeof error === 'string') return oneLine(error);
  if (event['object'] === 'error' && typeof event['message'] === 'string') return oneLine(event['message']);
  if (event['detail'] !== undefined && event['choices'] === undefined) {
    const detail = event['detail'];
    return oneLine(typeof detail === 'string' ? detail : JSON.stringify(detail));
  }
  return undefined;
}

export function oneLine(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > 200 ? `${flat.slice(0, 199)}…` : flat;
}

function serverTimesOf(event: Json): ServerTimes | undefined {
  const metrics = objectIn(event['metrics']);
  if (metrics !== undefined) {
    const queue = numberIn(metrics['queue_time_ms']);
    const first = numberIn(metrics['time_to_first_token_ms']);
    return times('vllm', {
      queue,
      ttft: queue === undefined || first === undefined ? undefined : queue + first,
      generation: numberIn(metrics['generation_time_ms']),
      itlMean: numberIn(metrics['mean_itl_ms']),
    });
  }
  const timings = objectIn(event['timings']);
  if (timings !== undefined)
    return times('llama.cpp', {
      ttft: numberIn(timings['prompt_ms']),
      generation: numberIn(timings['predicted_ms']),
      itlMean: numberIn(timings['predicted_per_token_ms']),
    });
  const timing = objectIn(objectIn(event['nvext'])?.['timing']);
  if (timing !== undefined)
    return times('dynamo', {
      queue: numberIn(timing['queue_ms']),
      ttft: numberIn(timing['ttft_ms']),
      itlMean: numberIn(timing['itl_ms']) ?? numberIn(timing['avg_itl_ms']),
    });
  return undefined;
}

type MaybeTimes = { readonly [key in 'queue' | 'ttft' | 'generation' | 'itlMean']?: Ms | undefined };

function times(source: ServerTimes['source'], { queue, ttft, generation, itlMean }: MaybeTimes): ServerTimes {
  return {
    source,
    ...(queue === undefined ? {} : { queue }),
    ...(ttft === undefined ? {} : { ttft }),
    ...(generation === undefined ? {} : { generation }),
    ...(itlMean === undefined ? {} : { itlMean }),
  };
}

/** Dynamo names the worker that decoded the request. */
function workerOf(event: Json): string | undefined {
  const worker = objectIn(objectIn(event['nvext'])?.['worker_id']);
  const id = worker?.['decode_worker_id'] ?? worker?.['prefill_worker_id'];
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;
}
