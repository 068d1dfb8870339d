// The JSON of each event, dialect by dialect: what the engines of http.md §1.4 and §2 put into them.
import type { JobTimes } from './generations.ts';
import type { Ask, Dialect, Framing } from './script.ts';

export interface Served {
  readonly ask: Ask;
  readonly dialect: Dialect;
  readonly model: string;
  readonly framing: Framing;
  readonly times: JobTimes;
  readonly cachedTokens: number;
  /** The server tells cached tokens (vLLM and SGLang only with a flag). */
  readonly reportsCached: boolean;
  readonly perRequestMetrics: boolean;
}

type Json = Readonly<Record<string, unknown>>;

const isOn = (value: unknown, key: string): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).some(([k, v]) => k === key && v === true);

export const wantsUsage = ({ body }: Ask): boolean => isOn(body['stream_options'], 'include_usage');
const wantsContinuous = ({ body }: Ask): boolean => isOn(body['stream_options'], 'continuous_usage_stats');

export function usageOf(served: Served, completionTokens: number): Json {
  const prompt = served.ask.prompt.length;
  return {
    prompt_tokens: prompt,
    completion_tokens: completionTokens,
    total_tokens: prompt + completionTokens,
    ...(served.reportsCached ? { prompt_tokens_details: { cached_tokens: served.cachedTokens } } : {}),
  };
}

/** The id of a token that was generated; the n-th of any answer. */
export const tokenId = (n: number): number => 259 + (n % 253);

const envelope = ({ ask, model }: Served): Json => ({
  id: `${ask.api === 'chat' ? 'chatcmpl' : 'cmpl'}-${ask.requestId ?? ask.index}`,
  object: ask.api === 'chat' ? 'chat.completion.chunk' : 'text_completion',
  created: 1_790_000_000,
  model,
});

const knowsTokenIds = ({ dialect, ask }: Served): boolean =>
  (dialect === 'vllm' || dialect === 'sglang') && ask.body['return_token_ids'] === true;

/** The event before any token: the chat role. */
export const roleEvent = (served: Served): Json => ({
  ...envelope(served),
  choices: [
    {
      index: 0,
      delta: { role: 'assistant', content: served.dialect === 'llamacpp' ? null : '' },
      finish_reason: null,
    },
  ],
});

export function emptyEvent(served: Served): Json {
  const choice = served.ask.api === 'chat' ? { delta: { content: '' } } : { text: '' };
  return { ...envelope(served), choices: [{ index: 0, ...choice, finish_reason: null }] };
}

/** Tokens `from` … `to − 1` in one event. `text` is given apart, since its bytes may be cut. */
export function tokenEvent(served: Served, from: number, to: number, text: string): Json {
  const { ask, framing } = served;
  if (ask.api === 'generate') return generateEvent(served, to, null);
  const ids = Array.from({ length: to - from }, (_, i) => tokenId(from + i));
  const choice = {
    index: 0,
    ...(ask.api === 'chat' ? { delta: delta(framing, from, text) } : { text }),
    logprobs: null,
    finish_reason: null,
    ...(knowsTokenIds(served) ? { token_ids: ids } : {}),
  };
  return {
    ...envelope(served),
    choices: [choice],
    ...(knowsTokenIds(served) && from === 0 ? { prompt_token_ids: ask.prompt } : {}),
    ...(wantsContinuous(ask) && served.dialect !== 'llamacpp' && served.dialect !== 'openai'
      ? { usage: usageOf(served, to) }
      : served.dialect === 'openai' && wantsUsage(ask)
        ? { usage: null }
        : {}),
    ...(served.dialect === 'llamacpp' && ask.body['timings_per_token'] === true
      ? { timings: llamaTimings(served, to) }
      : {}),
  };
}

function delta(framing: Framing, from: number, text: string): Json {
  if (from < framing.reasoningTokens) return { [framing.reasoningField]: text };
  if (!framing.toolCall) return { content: text };
  const isFirst = from === framing.reasoningTokens;
  const call = isFirst
    ? { index: 0, id: 'call_0', type: 'function', function: { name: 'look_up', arguments: text } }
    : { index: 0, function: { arguments: text } };
  return { tool_calls: [call] };
}

/** SGLang's native stream: text and counts are cumulative. */
export function generateEvent(served: Served, tokens: number, finish: string | null): Json {
  let text = '';
  for (let n = 0; n < tokens; n += 1) text += served.framing.tokenText(n);
  return {
    text,
    output_ids: Array.from({ length: tokens }, (_, n) => tokenId(n)),
    meta_info: {
      id: served.ask.requestId ?? String(served.ask.index),
      prompt_tokens: served.ask.prompt.length,
      completion_tokens: tokens,
      cached_tokens: served.reportsCached ? served.cachedTokens : 0,
      finish_reason: finish === null ? null : { type: finish, length: tokens },
    },
  };
}

/** The events that end an answer: finish reason, usage, the server's own times. */
export function lastEvents(served: Served, tokens: number, finish: string): Json[] {
  const { ask, dialect } = served;
  if (ask.api === 'generate') return [];
  const empty = ask.api === 'chat' ? { delta: {} } : { text: '' };
  const ending = {
    ...envelope(served),
    choices: [{ index: 0, ...empty, logprobs: null, finish_reason: finish }],
  };
  const usage = { usage: usageOf(served, tokens) };
  if (dialect === 'llamacpp') {
    const timings = { timings: llamaTimings(served, tokens) };
    if (ask.api === 'completions') return [{ ...ending, ...usage, ...timings }];
    return wantsUsage(ask) ? [ending, { ...envelope(served), choices: [], ...usage, ...timings }] : [ending];
  }
  if (!wantsUsage(ask)) return [ending];
  const metrics = served.perRequestMetrics ? { metrics: vllmMetrics(served, tokens) } : {};
  return [ending, { ...envelope(served), choices: [], ...usage, ...metrics }];
}

/** vLLM's `--enable-per-request-metrics`: its time to first token starts at scheduling. */
function vllmMetrics({ times }: Served, tokens: number): Json {
  const generation = times.lastMs - times.firstMs;
  return {
    queue_time_ms: times.scheduledMs - times.receivedMs,
    time_to_first_token_ms: times.firstMs - times.scheduledMs,
    generation_time_ms: generation,
    ...(tokens > 1
      ? { mean_itl_ms: generation / (tokens - 1), tokens_per_second: (1000 * (tokens - 1)) / generation }
      : {}),
  };
}

function llamaTimings({ ask, times, cachedTokens }: Served, tokens: number): Json {
  const promptN = ask.prompt.length - cachedTokens;
  const promptMs = times.firstMs - times.scheduledMs;
  const predictedMs = times.lastMs - times.firstMs;
  return {
    cache_n: cachedTokens,
    prompt_n: promptN,
    prompt_ms: promptMs,
    prompt_per_token_ms: promptMs / promptN,
    predicted_n: tokens,
    predicted_ms: predictedMs,
    predicted_per_token_ms: predictedMs / tokens,
  };
}

/** The body of an answer that is not streamed. */
export function wholeAnswer(served: Served, tokens: number, finish: string, extra: Json): Json {
  let text = '';
  for (let n = 0; n < tokens; n += 1) text += served.framing.tokenText(n);
  if (served.ask.api === 'generate') return { ...generateEvent(served, tokens, finish), ...extra };
  const isChat = served.ask.api === 'chat';
  return {
    ...envelope(served),
    object: isChat ? 'chat.completion' : 'text_completion',
    choices: [
      {
        index: 0,
        ...(isChat ? { message: { role: 'assistant', content: text } } : { text }),
        finish_reason: finish,
      },
    ],
    usage: usageOf(served, tokens),
    ...(served.dialect === 'llamacpp' ? { timings: llamaTimings(served, tokens) } : {}),
    ...extra,
  };
}
