import { InputError } from '../../run/inputError.ts';
import { type TimeUnit, timeUnits } from '../../run/timeUnits.ts';
import { JsonScanner } from '../jsonScanner.ts';
import { shown } from '../lines.ts';
import { Timestamp } from '../timestamps.ts';
import { type Field, jsonKeys, TraceRow, type TraceRowHandler } from './traceRow.ts';

const comma = 44;
const colon = 58;
const quote = 34;
const openBracket = 91;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

/** Objects in which a dialect keeps its columns: entered as if their keys stood outside. */
const entered = new Set(['request', 'replay', 'agent_context']);

interface Key {
  readonly name: string;
  readonly field: Field | 'sub_requests' | 'conversations' | 'event_type' | 'enter';
  readonly unit: TimeUnit | undefined;
}

/** Keys by length and first and last byte: few share all three, so that one comparison of bytes settles most. */
const keyHash = (length: number, first: number, last: number): number => length * 65536 + first * 256 + last;
const keys = new Map<number, Key[]>();
for (const key of [
  ...jsonKeys.map(([name, { field, unit }]): Key => ({ name, field, unit })),
  ...(['sub_requests', 'conversations', 'event_type'] as const).map(
    (name): Key => ({ name, field: name, unit: undefined }),
  ),
  ...[...entered].map((name): Key => ({ name, field: 'enter', unit: undefined })),
]) {
  const hash = keyHash(key.name.length, key.name.charCodeAt(0), key.name.charCodeAt(key.name.length - 1));
  keys.set(hash, [...(keys.get(hash) ?? []), key]);
}

/**
 * Rows of a trace in JSON, one object per record: reads keys where they lie, makes no objects. A record may hold several
 * requests (`sub_requests` of LLMServingSim, `conversations` of ShareGPT): each is handed over as a row of its own.
 *
 * @throws InputError `file:line: found, expected …`
 */
export class JsonTraceRows {
  readonly #name: string;
  readonly #place: (record: number) => string;
  readonly #handle: TraceRowHandler;
  readonly #scanner = new JsonScanner();
  readonly #row = new TraceRow();
  readonly #sub = new TraceRow();
  readonly #time = new Timestamp();
  #subs = 0;
  #goOn = true;

  /** `place` names a record in an error message: `t.jsonl:3`, or an element of an array. */
  constructor(name: string, handle: TraceRowHandler, place?: (record: number) => string) {
    this.#name = name;
    this.#handle = handle;
    this.#place = place ?? ((line) => `${this.#name}:${line}`);
  }

  /** Reads the record that is the bytes start..end; false where the handler wants no more. */
  record(bytes: Uint8Array, start: number, end: number, line: number): boolean {
    const scanner = this.#scanner;
    const row = this.#row;
    row.begin(line);
    this.#subs = 0;
    this.#goOn = true;
    scanner.begin(bytes, start, end);
    if (!this.#object(row, line, 0)) {
      const found = `${shown(bytes, scanner.at, end)} at column ${scanner.at - start + 1}`;
      return this.#bad(line, found, scanner.failed ?? 'JSON');
    }
    if (scanner.peek() !== -1)
      return this.#bad(line, `${shown(bytes, scanner.at, end)} after the object`, 'the end of the line');
    if (this.#subs > 0) return this.#goOn;
    return row.isOther ? true : this.#handle(row);
  }

  #bad(line: number, found: string, expected: string): never {
    throw new InputError(`${this.#place(line)}: ${found}, expected ${expected}`);
  }

  #object(row: TraceRow, line: number, depth: number): boolean {
    const scanner = this.#scanner;
    if (!scanner.take(openBrace)) return false;
    if (scanner.peek() === closeBrace) {
      scanner.at++;
      return true;
    }
    for (;;) {
      const start = scanner.string();
      if (start < 0) return false;
      const key = this.#keyAt(start);
      if (!scanner.take(colon)) return false;
      if (!this.#value(key, row, line, depth)) return false;
      if (scanner.peek() === comma) scanner.at++;
      else return scanner.take(closeBrace);
    }
  }

  #keyAt(start: number): Key | undefined {
    const scanner = this.#scanner;
    const length = scanner.at - 1 - start;
    if (length < 1) return undefined;
    const found = keys.get(keyHash(length, scanner.bytes[start] ?? 0, scanner.bytes[scanner.at - 2] ?? 0));
    return found?.find(({ name }) => scanner.wasString(start, name));
  }

  #value(key: Key | undefined, row: TraceRow, line: number, depth: number): boolean {
    const scanner = this.#scanner;
    if (key === undefined) return scanner.skip();
    const first = scanner.peek();
    // null is the same as an absent key.
    if (first === 110) return scanner.skip();
    switch (key.field) {
      case 'time': {
        // A record that names its time twice (a log of several clocks) keeps the first; the same key twice is a mistake.
        if (!Number.isNaN(row.time)) return this.#again(key, row.timeUnit === key.unit, line);
        const from = scanner.at;
        row.timeName = key.name;
        if (first === quote && this.#timeOfDay(row)) return true;
        row.time = this.#number();
        row.timeUnit = key.unit;
        row.timeDigits = this.#digits(from);
        return scanner.failed === undefined;
      }
      case 'statedUnit': {
        const word = this.#word();
        row.statedUnit = timeUnits.find((unit) => unit === word);
        return scanner.failed === undefined;
      }
      case 'prompt':
        if (first === quote || first === openBracket) return scanner.skip();
        if (!Number.isNaN(row.prompt)) return this.#again(key, depth === 0, line);
        row.promptName = key.name;
        row.prompt = this.#number();
        return scanner.failed === undefined;
      case 'output':
        if (!Number.isNaN(row.output)) return this.#again(key, depth === 0, line);
        row.outputName = key.name;
        row.output = this.#number();
        return scanner.failed === undefined;
      case 'delay':
        row.delay = this.#number();
        row.delayUnit = key.unit;
        return scanner.failed === undefined;
      case 'blockTokens':
        row.blockTokens = this.#number();
        return scanner.failed === undefined;
      case 'priority':
        if (first === quote) return scanner.skip();
        row.priority = this.#number();
        return scanner.failed === undefined;
      case 'session':
        row.session ??= this.#word();
        return scanner.failed === undefined;
      case 'chat':
        row.chat = this.#word();
        return scanner.failed === undefined;
      case 'parent':
        row.parent = this.#word();
        return scanner.failed === undefined;
      case 'ids':
        if (row.idCount >= 0) this.#bad(line, `${key.name} twice`, 'each key once');
        return this.#ids(row);
      case 'text': {
        const chars = this.#textChars(0);
        if (chars < 0) return false;
        row.promptChars = Math.max(0, row.promptChars) + chars;
        return true;
      }
      case 'answer':
        return scanner.skip();
      case 'event_type': {
        const start = scanner.string();
        if (start < 0) return false;
        row.isOther = !scanner.wasString(start, 'request_end');
        return true;
      }
      case 'enter':
        return first === openBrace && depth < 4 ? this.#object(row, line, depth + 1) : scanner.skip();
      case 'sub_requests':
        return first === openBracket ? this.#subRequests(row, line, depth) : scanner.skip();
      case 'conversations':
        return first === openBracket ? this.#conversation(row, line) : scanner.skip();
      default:
        return key.field satisfies never;
    }
  }

  #again(key: Key, isMistake: boolean, line: number): boolean {
    if (isMistake) this.#bad(line, `${key.name} twice`, 'each key once');
    return this.#scanner.skip();
  }

  /** A number, or a string that holds one. */
  #number(): number {
    const scanner = this.#scanner;
    if (scanner.peek() !== quote) return scanner.number();
    const before = scanner.at;
    const text = this.#word() ?? '';
    if (scanner.failed !== undefined) return Number.NaN;
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    scanner.at = before;
    scanner.fail('a number');
    return Number.NaN;
  }

  /** Takes a string that is a date and time; false, with the scanner where it was, for one that is not. */
  #timeOfDay(row: TraceRow): boolean {
    const scanner = this.#scanner;
    const before = scanner.at;
    const text = this.#word() ?? '';
    if (scanner.failed === undefined && this.#time.parse(text)) {
      row.isDate = true;
      row.time = this.#time.second;
      row.nanosecond = this.#time.nanosecond;
      row.timeUnit = 's';
      return true;
    }
    scanner.at = before;
    return false;
  }

  /** The digits of the number that began at `from`, where a double would not hold it. */
  #digits(from: number): string | undefined {
    const scanner = this.#scanner;
    if (scanner.at - from < 16) return undefined;
    const text = this.#text(from, scanner.at);
    return /^\d{16,}$/.test(text) ? text : undefined;
  }

  #text(start: number, end: number): string {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(this.#scanner.bytes[i] ?? 0);
    return text;
  }

  /** A string's contents, a number's digits, or true and false, as text. */
  #word(): string | undefined {
    const scanner = this.#scanner;
    if (scanner.peek() === quote) {
      const start = scanner.string();
      return start < 0 ? undefined : this.#text(start, scanner.at - 1);
    }
    const start = scanner.at;
    return scanner.skip() ? this.#text(start, scanner.at) : undefined;
  }

  #ids(row: TraceRow): boolean {
    const scanner = this.#scanner;
    if (!scanner.take(openBracket)) return false;
    let count = 0;
    if (scanner.peek() === closeBracket) scanner.at++;
    else {
      for (;;) {
        if (scanner.peek() === quote) {
          const start = scanner.string();
          if (start < 0) return false;
          row.ids[count++] = `"${this.#text(start, scanner.at - 1)}`;
        } else {
          const from = scanner.at;
          const id = scanner.number();
          if (scanner.failed !== undefined) return false;
          row.ids[count++] = Number.isSafeInteger(id) && id >= 0 ? id : this.#text(from, scanner.at);
        }
        if (scanner.peek() === comma) scanner.at++;
        else if (scanner.take(closeBracket)) break;
        else return false;
      }
    }
    row.idCount = count;
    return true;
  }

  /** Characters of all strings in a value: a text, or messages with their contents. -1 where it is not JSON. */
  #textChars(depth: number): number {
    const scanner = this.#scanner;
    const first = scanner.peek();
    if (first === quote) {
      const start = scanner.string();
      return start < 0 ? -1 : charsOf(scanner.bytes, start, scanner.at - 1);
    }
    if (first === openBrace && depth < 8) {
      scanner.at++;
      let sum = 0;
      if (scanner.peek() === closeBrace) scanner.at++;
      else
        for (;;) {
          const start = scanner.string();
          if (start < 0) return -1;
          const counts = scanner.wasString(start, 'content') || scanner.wasString(start, 'text');
          if (!scanner.take(colon)) return -1;
          if (counts) {
            const chars = this.#textChars(depth + 1);
            if (chars < 0) return -1;
            sum += chars;
          } else if (!scanner.skip()) return -1;
          if (scanner.peek() === comma) scanner.at++;
          else if (scanner.take(closeBrace)) break;
          else return -1;
        }
      return sum;
    }
    if (first === openBracket && depth < 8) {
      scanner.at++;
      let sum = 0;
      if (scanner.peek() === closeBracket) scanner.at++;
      else
        for (;;) {
          const chars = this.#textChars(depth + 1);
          if (chars < 0) return -1;
          sum += chars;
          if (scanner.peek() === comma) scanner.at++;
          else if (scanner.take(closeBracket)) break;
          else return -1;
        }
      return sum;
    }
    return scanner.skip() ? 0 : -1;
  }

  /** LLMServingSim: the calls of one session; each begins when the one before has ended, after a tool has run. */
  #subRequests(row: TraceRow, line: number, depth: number): boolean {
    const scanner = this.#scanner;
    let tool = Number.NaN;
    return this.#elements(() => {
      const sub = this.#sub;
      sub.begin(line);
      if (!this.#object(sub, line, depth + 1)) return false;
      const first = this.#subs === 0;
      sub.session = row.session ?? `line ${line}`;
      if (first) {
        sub.time = row.time;
        sub.timeUnit = row.timeUnit;
        sub.timeDigits = row.timeDigits;
      } else sub.follows = true;
      const own = sub.delay;
      sub.delay = first ? Number.NaN : Number.isNaN(tool) ? 0 : tool;
      sub.delayUnit = 'ns';
      tool = own;
      this.#subs++;
      if (this.#goOn) this.#goOn = this.#handle(sub);
      return scanner.failed === undefined;
    });
  }

  /** ShareGPT: each answer of the assistant is a request, whose prompt is all that was said before. */
  #conversation(row: TraceRow, line: number): boolean {
    const scanner = this.#scanner;
    let said = 0;
    let turns = 0;
    return this.#elements(() => {
      let isAnswer = false;
      let chars = 0;
      if (scanner.peek() !== openBrace) return scanner.skip();
      scanner.at++;
      if (scanner.peek() === closeBrace) scanner.at++;
      else
        for (;;) {
          const start = scanner.string();
          if (start < 0) return false;
          const isRole = scanner.wasString(start, 'from') || scanner.wasString(start, 'role');
          const isText = scanner.wasString(start, 'value') || scanner.wasString(start, 'content');
          if (!scanner.take(colon)) return false;
          if (isRole) {
            const role = this.#word();
            isAnswer = role === 'gpt' || role === 'assistant' || role === 'chatgpt' || role === 'bard';
          } else if (isText) {
            const length = this.#textChars(0);
            if (length < 0) return false;
            chars = length;
          } else if (!scanner.skip()) return false;
          if (scanner.peek() === comma) scanner.at++;
          else if (scanner.take(closeBrace)) break;
          else return false;
        }
      this.#subs++;
      if (isAnswer && said > 0 && chars > 0 && this.#goOn) {
        const sub = this.#sub;
        sub.begin(line);
        sub.session = `conversation ${line}`;
        sub.promptChars = said;
        sub.answerChars = chars;
        sub.follows = turns > 0;
        if (turns > 0) {
          sub.delay = 0;
          sub.delayUnit = 'ns';
        } else {
          sub.time = row.time;
          sub.timeUnit = row.timeUnit;
        }
        turns++;
        this.#goOn = this.#handle(sub);
      }
      said += chars;
      return scanner.failed === undefined;
    });
  }

  #elements(element: () => boolean): boolean {
    const scanner = this.#scanner;
    scanner.at++;
    if (scanner.peek() === closeBracket) {
      scanner.at++;
      return true;
    }
    for (;;) {
      if (!element()) return false;
      if (scanner.peek() === comma) scanner.at++;
      else return scanner.take(closeBracket);
    }
  }
}

/** Characters of a JSON string's bytes: UTF-8 sequences and escapes count once. */
function charsOf(bytes: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    if (byte === 92) i += bytes[i + 1] === 117 ? 5 : 1;
    if ((byte & 0xc0) !== 0x80) count++;
  }
  return count;
}
