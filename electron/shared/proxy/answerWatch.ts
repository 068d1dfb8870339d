import { jsonObject, membersOf } from '../servers/shortRequest.ts';

/** What was seen of an answer that passes by. Absent where the server did not tell. */
export interface SeenAnswer {
  readonly firstTokenMs: number | undefined;
  readonly lastTokenMs: number | undefined;
  readonly outputTokens: number;
  /** The count is the server's own; else events with text were counted. */
  readonly isExact: boolean;
  readonly promptTokens: number | undefined;
  readonly cachedTokens: number | undefined;
  readonly finishReason: string | undefined;
  readonly error: string | undefined;
}

/** A line longer than this is passed on and not looked at. */
const longestLine = 1 << 20;

/** Reads along in an answer while it is passed on: never holds back a byte, and never fails. */
export class AnswerWatch {
  private readonly isStream: boolean;
  private readonly onFirstToken: (ms: number) => void;
  private rest = '';
  private readonly decoder = new TextDecoder();
  private first: number | undefined;
  private last: number | undefined;
  private events = 0;
  private usage: Readonly<Record<string, unknown>> = {};
  private finish: string | undefined;
  private failure: string | undefined;

  constructor(isStream: boolean, onFirstToken: (ms: number) => void) {
    this.isStream = isStream;
    this.onFirstToken = onFirstToken;
  }

  push(bytes: Uint8Array, nowMs: number): void {
    this.rest += this.decoder.decode(bytes, { stream: true });
    if (!this.isStream) return;
    for (let end = this.rest.indexOf('\n'); end >= 0; end = this.rest.indexOf('\n')) {
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + 1);
      if (line.startsWith('data:') && line.length < longestLine) this.event(line.slice(5).trim(), nowMs);
    }
    if (this.rest.length > longestLine) this.rest = '';
  }

  end(nowMs: number): SeenAnswer {
    if (!this.isStream) this.event(this.rest.trim(), nowMs);
    const count = this.usage['completion_tokens'];
    const prompt = this.usage['prompt_tokens'];
    const cached =
      membersOf(this.usage['prompt_tokens_details'])['cached_tokens'] ?? this.usage['cached_tokens'];
    return {
      firstTokenMs: this.first,
      lastTokenMs: this.last,
      outputTokens: typeof count === 'number' ? count : this.events,
      isExact: typeof count === 'number',
      promptTokens: typeof prompt === 'number' ? prompt : undefined,
      cachedTokens: typeof cached === 'number' ? cached : undefined,
      finishReason: this.finish,
      error: this.failure,
    };
  }

  private event(text: string, nowMs: number): void {
    const json = jsonObject(text);
    if (json === undefined) return;
    if (json['error'] !== undefined && json['error'] !== null) {
      const error = json['error'];
      const message = membersOf(error)['message'];
      this.failure ??= typeof message === 'string' ? message : JSON.stringify(error);
    }
    const usage = json['usage'];
    if (typeof usage === 'object' && usage !== null) this.usage = membersOf(usage);
    const meta = membersOf(json['meta_info']);
    if (json['meta_info'] !== undefined) this.usage = meta;
    const choice = membersOf(Array.isArray(json['choices']) ? json['choices'][0] : undefined);
    const reason = choice['finish_reason'] ?? membersOf(meta['finish_reason'])['type'];
    if (typeof reason === 'string') this.finish = reason;
    if (!hasToken(choice, json)) return;
    this.events += 1;
    // A whole answer comes at once: it tells nothing of its tokens' times.
    if (!this.isStream) return;
    this.last = nowMs;
    if (this.first !== undefined) return;
    this.first = nowMs;
    this.onFirstToken(nowMs);
  }
}

/** Content, reasoning, a tool call or token ids: role and empty events are no token. */
function hasToken(
  choice: Readonly<Record<string, unknown>>,
  json: Readonly<Record<string, unknown>>,
): boolean {
  const delta = membersOf(choice['delta'] ?? choice['message']);
  const texts = [
    choice['text'],
    delta['content'],
    delta['reasoning'],
    delta['reasoning_content'],
    json['text'],
  ];
  if (texts.some((text) => typeof text === 'string' && text !== '')) return true;
  const ids = choice['token_ids'];
  if (Array.isArray(ids) && ids.length > 0) return true;
  return Array.isArray(delta['tool_calls']) && delta['tool_calls'].length > 0;
}
