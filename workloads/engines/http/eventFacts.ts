import { JsonScanner } from '../../traffic/jsonScanner.ts';
import { isUtf8 } from './utf8.ts';

/**
 * What one event of a stream says, read in one pass over its bytes without making an object: OpenAI's completions and chat
 * chunks as vLLM, SGLang, TensorRT-LLM and llama.cpp send them, and SGLang's `/generate`. What this pass doesn't read
 * (texts of errors, server times) sets `odd`, and the caller parses that event as JSON.
 */
export class EventFacts {
  /** Bytes of generated text in this event, by kind, as written in the JSON. `/generate` sends all text so far. */
  content = 0;
  reasoning = 0;
  toolCall = 0;
  /** Token ids in this event (`return_token_ids`); 0 where none are listed. */
  tokenIds = 0;
  choices = 0;
  finished = false;
  /** Running or final counts of the server; NaN where it gave none. */
  completionTokens = Number.NaN;
  promptTokens = Number.NaN;
  cachedTokens = Number.NaN;
  /** llama.cpp's `timings.predicted_n`. */
  predicted = Number.NaN;
  usage = false;
  error = false;
  odd = false;
  badUtf8 = false;
  /** The text is everything so far, not what is new: SGLang's `/generate`. */
  cumulative = false;
  /** The stamped server's own time of writing; NaN elsewhere. */
  writtenAt = Number.NaN;
  /** Where the first `id` lies in the event's bytes; -1 where there is none. */
  idFrom = -1;
  idTo = -1;

  readonly #scanner = new JsonScanner();

  get textBytes(): number {
    return this.content + this.reasoning + this.toolCall;
  }

  /** False where the bytes are no JSON object; `fault` then says what was expected. */
  read(bytes: Uint8Array, from: number, to: number): boolean {
    this.#clear();
    const scanner = this.#scanner;
    scanner.begin(bytes, from, to);
    if (!this.#object(this.#topLevel)) return false;
    return scanner.peek() === -1 || scanner.fail('the end of the event');
  }

  get fault(): string {
    return `expected ${this.#scanner.failed ?? 'a JSON object'} at byte ${this.#scanner.at}`;
  }

  #clear(): void {
    this.content = this.reasoning = this.toolCall = this.tokenIds = this.choices = 0;
    this.completionTokens = this.promptTokens = this.cachedTokens = Number.NaN;
    this.predicted = this.writtenAt = Number.NaN;
    this.finished = this.usage = this.error = this.odd = this.badUtf8 = this.cumulative = false;
    this.idFrom = this.idTo = -1;
  }

  /** Takes an object; `member` takes the value of each key, whose text begins at the index it is given. */
  #object(member: (this: EventFacts, key: number) => boolean): boolean {
    const scanner = this.#scanner;
    if (!scanner.take(123)) return false;
    if (scanner.peek() === 125) return scanner.take(125);
    for (;;) {
      const key = scanner.string();
      if (key < 0) return false;
      const length = scanner.at - 1 - key;
      this.#keyLength = length;
      if (!scanner.take(58) || !member.call(this, key)) return false;
      if (scanner.peek() === 44) scanner.at++;
      else return scanner.take(125);
    }
  }

  #list(item: (this: EventFacts) => boolean): boolean {
    const scanner = this.#scanner;
    if (!scanner.take(91)) return false;
    if (scanner.peek() === 93) return scanner.take(93);
    for (;;) {
      if (!item.call(this)) return false;
      if (scanner.peek() === 44) scanner.at++;
      else return scanner.take(93);
    }
  }

  #keyLength = 0;

  #is(key: number, word: string): boolean {
    if (this.#keyLength !== word.length) return false;
    const { bytes } = this.#scanner;
    for (let i = 0; i < word.length; i++) if (bytes[key + i] !== word.charCodeAt(i)) return false;
    return true;
  }

  get #isNull(): boolean {
    return this.#scanner.peek() === 110;
  }

  /** Takes a string or null and answers its length in bytes; -1 for another value, which it passes over. */
  #textLength(): number {
    const scanner = this.#scanner;
    if (scanner.peek() !== 34) return scanner.skip() ? -1 : Number.NaN;
    const start = scanner.string();
    if (start < 0) return Number.NaN;
    const end = scanner.at - 1;
    for (let i = start; i < end; i++) {
      if ((scanner.bytes[i] ?? 0) < 0x80) continue;
      if (!isUtf8(scanner.bytes, i, end)) this.badUtf8 = true;
      break;
    }
    return end - start;
  }

  /** Takes a number or null; NaN for null. */
  #count(): number {
    if (!this.#isNull) return this.#scanner.number();
    this.#scanner.skip();
    return Number.NaN;
  }
  get #well(): boolean {
    return this.#scanner.failed === undefined;
  }

  #topLevel(key: number): boolean {
    const scanner = this.#scanner;
    if (this.#is(key, 'choices')) return this.#isNull ? scanner.skip() : this.#list(this.#choice);
    if (this.#is(key, 'usage')) return this.#isNull ? scanner.skip() : this.#usage();
    if (this.#is(key, 'error')) {
      if (!this.#isNull) this.error = this.odd = true;
      return scanner.skip();
    }
    if (this.#is(key, 'id')) {
      if (scanner.peek() !== 34) return scanner.skip();
      this.idFrom = scanner.string();
      this.idTo = scanner.at - 1;
      return this.#well;
    }
    if (this.#is(key, 'timings')) {
      this.odd = true;
      return this.#isNull ? scanner.skip() : this.#object(this.#timing);
    }
    if (this.#is(key, 'ns')) {
      this.writtenAt = this.#count();
      return this.#well;
    }
    if (this.#is(key, 'text')) {
      this.cumulative = true;
      return this.#add('content');
    }
    if (this.#is(key, 'meta_info')) {
      this.cumulative = true;
      return this.#isNull ? scanner.skip() : this.#object(this.#metaInfo);
    }
    if (this.#is(key, 'metrics') || this.#is(key, 'nvext') || this.#is(key, 'sglext')) this.odd = true;
    if (this.#is(key, 'object') && scanner.peek() === 34) {
      // Older vLLM: {"object":"error","message":…}
      const start = scanner.string();
      if (start >= 0 && scanner.wasString(start, 'error')) this.error = this.odd = true;
      return start >= 0;
    }
    return scanner.skip();
  }

  #add(kind: 'content' | 'reasoning' | 'toolCall'): boolean {
    const length = this.#textLength();
    if (length > 0) this[kind] += length;
    return !Number.isNaN(length);
  }

  #choice(): boolean {
    this.choices++;
    return this.#object(this.#choiceMember);
  }

  #choiceMember(key: number): boolean {
    const scanner = this.#scanner;
    if (this.#is(key, 'text')) return this.#add('content');
    if (this.#is(key, 'delta') || this.#is(key, 'message'))
      return this.#isNull ? scanner.skip() : this.#object(this.#delta);
    if (this.#is(key, 'finish_reason')) {
      if (!this.#isNull) this.finished = this.odd = true;
      return scanner.skip();
    }
    if (this.#is(key, 'token_ids')) return this.#isNull ? scanner.skip() : this.#list(this.#tokenId);
    return scanner.skip();
  }

  #tokenId(): boolean {
    this.tokenIds++;
    return this.#scanner.skip();
  }

  #delta(key: number): boolean {
    if (this.#is(key, 'content')) return this.#add('content');
    if (this.#is(key, 'reasoning') || this.#is(key, 'reasoning_content')) {
      // A server that sends both names sends the same text twice.
      if (this.reasoning > 0) return this.#scanner.skip();
      return this.#add('reasoning');
    }
    if (this.#is(key, 'tool_calls'))
      return this.#isNull ? this.#scanner.skip() : this.#list(this.#toolCallItem);
    return this.#scanner.skip();
  }

  #toolCallItem(): boolean {
    return this.#object(this.#toolCallMember);
  }

  #toolCallMember(key: number): boolean {
    if (this.#is(key, 'function') && !this.#isNull) return this.#object(this.#toolFunction);
    return this.#scanner.skip();
  }

  #toolFunction(key: number): boolean {
    if (this.#is(key, 'name') || this.#is(key, 'arguments')) return this.#add('toolCall');
    return this.#scanner.skip();
  }

  #usage(): boolean {
    this.usage = true;
    return this.#object(this.#usageMember);
  }

  #usageMember(key: number): boolean {
    if (this.#is(key, 'completion_tokens')) this.completionTokens = this.#count();
    else if (this.#is(key, 'prompt_tokens')) this.promptTokens = this.#count();
    else if (this.#is(key, 'prompt_tokens_details') && !this.#isNull) return this.#object(this.#promptDetail);
    else return this.#scanner.skip();
    return this.#well;
  }

  #promptDetail(key: number): boolean {
    if (!this.#is(key, 'cached_tokens')) return this.#scanner.skip();
    this.cachedTokens = this.#count();
    return this.#well;
  }

  #timing(key: number): boolean {
    if (!this.#is(key, 'predicted_n')) return this.#scanner.skip();
    this.predicted = this.#count();
    return this.#well;
  }

  #metaInfo(key: number): boolean {
    this.usage = true;
    if (this.#is(key, 'completion_tokens')) this.completionTokens = this.#count();
    else if (this.#is(key, 'prompt_tokens')) this.promptTokens = this.#count();
    else if (this.#is(key, 'cached_tokens')) this.cachedTokens = this.#count();
    else if (this.#is(key, 'finish_reason')) {
      if (!this.#isNull) this.finished = this.odd = true;
      return this.#scanner.skip();
    } else if (this.#is(key, 'id') && this.#scanner.peek() === 34) {
      this.idFrom = this.#scanner.string();
      this.idTo = this.#scanner.at - 1;
    } else return this.#scanner.skip();
    return this.#well;
  }
}
