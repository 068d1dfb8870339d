// The script of a server: an engine's dialect, the framing of its events, and its faults.
import type { ConnectionRules, HttpRequest } from './httpConnection.ts';

export type Dialect = 'vllm' | 'sglang' | 'llamacpp' | 'openai';

/** How the tokens of a stream become bytes. */
export interface Framing {
  readonly lineEnd: '\n' | '\r\n';
  /** `data: {…}` or `data:{…}`. */
  readonly spaceAfterColon: boolean;
  /** An event is one `data:` line, or its JSON is spread over several. */
  readonly dataLines: number;
  /** Tokens that are sent in one event, as speculative decoding or stream_interval do. */
  readonly tokensPerEvent: number;
  /** Events that are held back and sent in one HTTP chunk. */
  readonly eventsPerChunk: number;
  /** The chat role event goes out when the request is accepted, not with the first token. */
  readonly earlyRole: boolean;
  /** Events without text before the first token. */
  readonly emptyEvents: number;
  /** A comment line before every n-th event; 0: none. */
  readonly pingEvery: number;
  readonly ping: string;
  /** Tokens of reasoning before the content (chat). */
  readonly reasoningTokens: number;
  readonly reasoningField: 'reasoning' | 'reasoning_content';
  /** The content comes as arguments of a tool call (chat). */
  readonly toolCall: boolean;
  /** Each token's text; its bytes may be cut between events where `splitUtf8` is set. */
  readonly tokenText: (n: number) => string;
  /** A multi-byte character is spread over two events, as byte-level tokens do it (each half is then invalid UTF-8). */
  readonly splitUtf8: boolean;
  /** When the headers of a stream go: at once, or with the first event (llama.cpp). */
  readonly headers: 'early' | 'late';
  readonly contentType: string;
  readonly done: boolean;
}

export const plainFraming: Framing = {
  lineEnd: '\n',
  spaceAfterColon: true,
  dataLines: 1,
  tokensPerEvent: 1,
  eventsPerChunk: 1,
  earlyRole: false,
  emptyEvents: 0,
  pingEvery: 0,
  ping: ': ping',
  reasoningTokens: 0,
  reasoningField: 'reasoning',
  toolCall: false,
  tokenText: (n) => ` w${String(n % 1000).padStart(3, '0')}`,
  splitUtf8: false,
  headers: 'early',
  contentType: 'text/event-stream; charset=utf-8',
  done: true,
};

/** What goes wrong with one request. `after` counts tokens that were sent before. */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly retryAfter?: number | Date;
      readonly body?: string;
    }
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'error_event'; readonly after: number; readonly done: boolean }
  | { readonly kind: 'no_done' }
  | { readonly kind: 'no_finish'; readonly after: number; readonly done: boolean }
  | { readonly kind: 'cut'; readonly after: number }
  | { readonly kind: 'reset'; readonly after: number }
  | { readonly kind: 'stall'; readonly after: number; readonly ms: number }
  | { readonly kind: 'wrong_json'; readonly after: number }
  | { readonly kind: 'bad_utf8'; readonly after: number }
  | { readonly kind: 'endless_event'; readonly after: number; readonly bytes: number }
  | { readonly kind: 'huge_event'; readonly after: number; readonly bytes: number }
  | { readonly kind: 'silent' }
  | { readonly kind: 'close_before_answer' };

/** The fields of a request body that a scripted server reads, of whichever dialect. */
export interface Ask {
  readonly http: HttpRequest;
  readonly index: number;
  readonly api: 'completions' | 'chat' | 'generate';
  readonly body: Readonly<Record<string, unknown>>;
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly stream: boolean;
  readonly requestId: string | undefined;
}

export const llamaConnections: ConnectionRules = {
  idleCloseMs: 5000,
  maxRequests: 100,
  closeAfterStream: true,
  splitBytes: 0,
  splitPauseMs: 0,
};

export const uvicornConnections: ConnectionRules = {
  ...llamaConnections,
  maxRequests: Number.POSITIVE_INFINITY,
  closeAfterStream: false,
};
