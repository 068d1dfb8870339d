import { HeldBytes } from './heldBytes.ts';
import { decodeUtf8 } from './utf8.ts';

/** Receives the body of a response, in pieces that are valid during the call only. */
export interface BodySink {
  head(status: number): void;
  body(bytes: Uint8Array, from: number, to: number): void;
}

type State =
  | 'head'
  | 'length'
  | 'chunk size'
  | 'chunk'
  | 'chunk end'
  | 'trailer'
  | 'until close'
  | 'done'
  | 'broken';

const longestHead = 65_536;
const longestLine = 4_096;
const lineFeed = 10;

/**
 * One HTTP/1.1 response out of the bytes of one connection, in pieces of any size (RFC 9112): interim 1xx answers are
 * skipped; the body ends by its length, by its last chunk, or with the connection. Makes objects for the head only.
 */
export class ResponseParser {
  status = 0;
  headers: ReadonlyMap<string, string> = new Map();
  /** What was wrong, in one clause; undefined while all is well. */
  fault: string | undefined;
  #state: State = 'head';
  #left = 0;
  readonly #line = new HeldBytes();
  readonly #sink: BodySink;

  constructor(sink: BodySink) {
    this.#sink = sink;
  }

  /** The body came to its own end. */
  get done(): boolean {
    return this.#state === 'done';
  }
  get headSeen(): boolean {
    return this.status !== 0;
  }
  /** The body may end with the connection: nothing else tells where it ends. */
  get endsWithConnection(): boolean {
    return this.#state === 'until close';
  }
  /** The server lets another request follow on this connection. */
  get keepsConnection(): boolean {
    return this.done && (this.headers.get('connection') ?? '').toLowerCase() !== 'close';
  }

  /** Ready for the next response on the same connection. */
  reset(): void {
    this.status = 0;
    this.headers = new Map();
    this.fault = undefined;
    this.#state = 'head';
    this.#line.clear();
  }

  /** Takes the bytes of one read. Bytes after the end of the body are a fault: nothing was asked for. */
  push(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      switch (this.#state) {
        case 'head':
          at = this.#head(bytes, at, to);
          break;
        case 'length':
        case 'chunk': {
          const end = Math.min(to, at + this.#left);
          this.#left -= end - at;
          if (this.#left === 0) this.#state = this.#state === 'chunk' ? 'chunk end' : 'done';
          this.#sink.body(bytes, at, end);
          at = end;
          break;
        }
        case 'until close':
          this.#sink.body(bytes, at, to);
          return;
        case 'chunk size':
        case 'chunk end':
        case 'trailer':
          at = this.#chunkLine(bytes, at, to);
          break;
        case 'done':
          this.#break('bytes after the end of the response');
          return;
        case 'broken':
          return;
      }
    }
  }

  #break(fault: string): void {
    this.fault ??= fault;
    this.#state = 'broken';
  }

  /** Collects the head up to its empty line. */
  #head(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to) {
      const feed = bytes.indexOf(lineFeed, at);
      const end = feed === -1 || feed >= to ? to : feed + 1;
      this.#line.append(bytes, at, end);
      at = end;
      const { bytes: held, length } = this.#line;
      if (length > longestHead) {
        this.#break(`a response head of more than ${longestHead} bytes`);
        return at;
      }
      if (held[length - 1] !== lineFeed) continue;
      const before = held[length - 2] === 13 ? length - 3 : length - 2;
      if (before < 0 || held[before] === lineFeed) {
        this.#readHead(decodeUtf8(held, 0, length));
        this.#line.clear();
        return at;
      }
    }
    return at;
  }

  #readHead(text: string): void {
    const [first = '', ...lines] = text.split(/\r?\n/);
    const match = /^HTTP\/1\.[01] (\d{3})/.exec(first);
    if (match === null) {
      this.#break(`no HTTP/1.1 response: it begins with "${first.slice(0, 60)}"`);
      return;
    }
    const status = Number(match[1]);
    if (status >= 100 && status < 200) return;
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      if (colon <= 0) continue;
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      const known = headers.get(name);
      headers.set(name, known === undefined ? value : `${known}, ${value}`);
    }
    this.status = status;
    this.headers = headers;
    this.#state = this.#framing();
    this.#sink.head(status);
  }

  #framing(): State {
    if (this.status === 204 || this.status === 304) return 'done';
    const encoding = this.headers.get('transfer-encoding');
    if (encoding !== undefined) {
      if (/(^|,)\s*chunked\s*$/i.test(encoding)) return 'chunk size';
      return 'until close';
    }
    const length = this.headers.get('content-length');
    if (length === undefined) return 'until close';
    if (!/^\d{1,15}$/.test(length)) {
      this.fault = `content-length "${length.slice(0, 40)}"`;
      return 'broken';
    }
    this.#left = Number(length);
    return this.#left === 0 ? 'done' : 'length';
  }

  /** Lines between chunks: a size in hexadecimal, the empty line after a chunk, trailers. */
  #chunkLine(bytes: Uint8Array, from: number, to: number): number {
    const feed = bytes.indexOf(lineFeed, from);
    const whole = feed !== -1 && feed < to;
    const end = whole ? feed : to;
    if (this.#line.length === 0 && whole) {
      this.#endLine(bytes, from, end);
      return end + 1;
    }
    this.#line.append(bytes, from, end);
    if (this.#line.length > longestLine) this.#break(`a chunk line of more than ${longestLine} bytes`);
    else if (whole) {
      const { bytes: held, length } = this.#line;
      this.#line.length = 0;
      this.#endLine(held, 0, length);
    }
    return whole ? end + 1 : end;
  }

  #endLine(bytes: Uint8Array, from: number, end: number): void {
    const to = end > from && bytes[end - 1] === 13 ? end - 1 : end;
    switch (this.#state) {
      case 'chunk end':
        if (to > from) this.#break('a chunk that is longer than its size');
        else this.#state = 'chunk size';
        return;
      case 'trailer':
        if (to === from) this.#state = 'done';
        return;
      default: {
        let size = 0;
        let digits = 0;
        for (let at = from; at < to; at++) {
          const byte = bytes[at] ?? 0;
          const lower = byte | 32;
          const digit =
            byte >= 48 && byte <= 57 ? byte - 48 : lower >= 97 && lower <= 102 ? lower - 87 : undefined;
          if (digit === undefined) {
            if (byte !== 59 && byte !== 32) digits = 0;
            break;
          }
          size = size * 16 + digit;
          digits++;
        }
        if (digits === 0 || digits > 12) {
          this.#break(`a chunk size "${decodeUtf8(bytes, from, Math.min(to, from + 40))}"`);
          return;
        }
        this.#left = size;
        this.#state = size === 0 ? 'trailer' : 'chunk';
      }
    }
  }
}
