import type { Tokens } from '../../units.ts';
import { encodeUtf8 } from './utf8.ts';

/** Which API a request speaks. */
export const dialects = ['completions', 'chat', 'generate'] as const;
export type Dialect = (typeof dialects)[number];

export const dialectPaths: Readonly<Record<Dialect, string>> = {
  completions: '/v1/completions',
  chat: '/v1/chat/completions',
  generate: '/generate',
};

/** What the server is known to take; nothing is sent on a guess. */
export interface ServerAbilities {
  /** `prompt: [ids]`. */
  readonly tokenIds: boolean;
  /** `stream_options.continuous_usage_stats`. */
  readonly continuousUsage: boolean;
  /** `return_token_ids`. */
  readonly returnTokenIds: boolean;
  readonly ignoreEos: boolean;
  readonly cacheSalt: boolean;
}

export interface PromptRequest {
  readonly model?: string;
  /** Token ids, or text where ids can't be sent. */
  readonly prompt: readonly number[] | Uint32Array | string;
  readonly maxTokens: Tokens;
  readonly cacheSalt?: string;
  readonly requestId: string;
  readonly sessionId?: string;
  /** Merged into the body last: P/D hand-shakes, tests of one server's own fields. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The JSON body; ids and text as the dialect wants them. Throws RangeError for ids in a chat. */
export function requestBody(dialect: Dialect, request: PromptRequest, abilities: ServerAbilities): string {
  const { prompt, maxTokens } = request;
  const ids = typeof prompt === 'string' ? undefined : Array.from(prompt);
  if (dialect === 'generate')
    return JSON.stringify({
      ...(ids === undefined ? { text: prompt } : { input_ids: ids }),
      sampling_params: {
        max_new_tokens: maxTokens,
        temperature: 0,
        ...(abilities.ignoreEos && { ignore_eos: true }),
      },
      stream: true,
      rid: request.requestId,
      ...request.extra,
    });
  if (dialect === 'chat' && ids !== undefined)
    throw new RangeError('a chat takes text, not token ids: use the completions API');
  return JSON.stringify({
    ...(request.model === undefined ? {} : { model: request.model }),
    ...(dialect === 'chat'
      ? { messages: [{ role: 'user', content: prompt }], max_completion_tokens: maxTokens }
      : { prompt: ids ?? prompt }),
    max_tokens: maxTokens,
    temperature: 0,
    stream: true,
    stream_options: {
      include_usage: true,
      ...(abilities.continuousUsage ? { continuous_usage_stats: true } : {}),
    },
    ...(abilities.returnTokenIds ? { return_token_ids: true } : {}),
    ...(abilities.ignoreEos ? { ignore_eos: true } : {}),
    ...(abilities.cacheSalt && request.cacheSalt !== undefined ? { cache_salt: request.cacheSalt } : {}),
    ...request.extra,
  });
}

export interface RequestHead {
  readonly path: string;
  /** Host and port as the server knows itself. */
  readonly host: string;
  readonly keepAlive: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One HTTP/1.1 POST as bytes. Header values must be one line of visible ASCII (RangeError). */
export function requestBytes(head: RequestHead, body: string): Uint8Array {
  const content = encodeUtf8(body);
  let text =
    `POST ${head.path} HTTP/1.1\r\nhost: ${head.host}\r\ncontent-type: application/json\r\n` +
    `accept: text/event-stream\r\ncontent-length: ${content.length}\r\n` +
    `connection: ${head.keepAlive ? 'keep-alive' : 'close'}\r\n`;
  for (const [name, value] of Object.entries(head.headers ?? {})) {
    if (!/^[\x20-\x7e]*$/.test(value)) throw new RangeError(`header ${name}: expected visible ASCII`);
    text += `${name}: ${value}\r\n`;
  }
  const start = encodeUtf8(`${text}\r\n`);
  const bytes = new Uint8Array(start.length + content.length);
  bytes.set(start);
  bytes.set(content, start.length);
  return bytes;
}
