import { HeldBytes } from './heldBytes.ts';

/** Receives the data of each event; `bytes` is valid during the call only. */
export interface EventSink {
  event(bytes: Uint8Array, from: number, to: number): void;
  /** A line that is no field of an event stream, such as a JSON body where a stream was asked for. */
  stray(bytes: Uint8Array, from: number, to: number): void;
}

const lineFeed = 10;
const carriageReturn = 13;
const space = 32;
const colon = 58;

/**
 * Server-sent events out of the bytes of a body, in pieces of any size. Lines end with LF or CRLF, events with an empty line;
 * several `data` lines are joined with LF; comments and other fields (`event`, `id`, `retry`) are counted and passed over.
 * An event that lies in one piece is handed on where it lies: nothing is copied and nothing is allocated.
 */
export class EventScanner {
  comments = 0;
  /** More bytes without an end of event than `bound`: the stream is given up. */
  tooLong = false;
  readonly #sink: EventSink;
  readonly #bound: number;
  /** The rest of a line whose end has not come. */
  readonly #line = new HeldBytes();
  /** Data of an event whose end has not come, where it isn't in the current piece. */
  readonly #data = new HeldBytes();
  #dataLines = 0;
  /** Where the only data line of the current event lies in the current piece; -1: in #data. */
  #from = -1;
  #to = -1;

  constructor(sink: EventSink, bound: number) {
    this.#sink = sink;
    this.#bound = bound;
  }

  push(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to && !this.tooLong) {
      const feed = bytes.indexOf(lineFeed, at);
      if (feed === -1 || feed >= to) {
        this.#line.append(bytes, at, to);
        break;
      }
      if (this.#line.length === 0) this.#endLine(bytes, at, feed, true);
      else {
        this.#line.append(bytes, at, feed);
        this.#endLine(this.#line.bytes, 0, this.#line.length, false);
        this.#line.clear();
      }
      at = feed + 1;
    }
    if (this.#from >= 0) {
      this.#data.append(bytes, this.#from, this.#to);
      this.#from = -1;
    }
    if (this.#line.length + this.#data.length > this.#bound) this.tooLong = true;
  }

  /** The body has ended: a last event without its empty line counts. */
  end(): void {
    if (this.#line.length > 0) this.#endLine(this.#line.bytes, 0, this.#line.length, false);
    this.#line.clear();
    this.#dispatch(this.#data.bytes);
  }

  #endLine(bytes: Uint8Array, from: number, feed: number, inPiece: boolean): void {
    const to = feed > from && bytes[feed - 1] === carriageReturn ? feed - 1 : feed;
    if (to === from) {
      this.#dispatch(bytes);
      return;
    }
    if (bytes[from] === colon) {
      this.comments++;
      return;
    }
    // "data" and a colon, or nothing after it
    if (startsWithData(bytes, from, to)) {
      let start = Math.min(to, from + 5);
      if (start < to && bytes[start] === space) start++;
      this.#dataLine(bytes, start, to, inPiece);
      return;
    }
    if (!isField(bytes, from, to)) this.#sink.stray(bytes, from, to);
  }

  #dataLine(bytes: Uint8Array, from: number, to: number, inPiece: boolean): void {
    this.#dataLines++;
    if (this.#dataLines === 1 && inPiece) {
      this.#from = from;
      this.#to = to;
      return;
    }
    if (this.#from >= 0) {
      // The first line lies in this same piece.
      this.#data.append(bytes, this.#from, this.#to);
      this.#from = -1;
    }
    if (this.#dataLines > 1) this.#data.push(lineFeed);
    this.#data.append(bytes, from, to);
  }

  #dispatch(bytes: Uint8Array): void {
    if (this.#dataLines === 0) return;
    this.#dataLines = 0;
    if (this.#from >= 0) {
      const from = this.#from;
      this.#from = -1;
      this.#sink.event(bytes, from, this.#to);
    } else {
      this.#sink.event(this.#data.bytes, 0, this.#data.length);
    }
    this.#data.clear();
  }
}

function startsWithData(bytes: Uint8Array, from: number, to: number): boolean {
  return (
    bytes[from] === 100 &&
    bytes[from + 1] === 97 &&
    bytes[from + 2] === 116 &&
    bytes[from + 3] === 97 &&
    to - from >= 4 &&
    (to - from === 4 || bytes[from + 4] === colon)
  );
}

const otherFields: readonly string[] = ['event', 'id', 'retry'];

function isField(bytes: Uint8Array, from: number, to: number): boolean {
  return otherFields.some((name) => {
    for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name.charCodeAt(i)) return false;
    const end = from + name.length;
    return end === to || (end < to && bytes[end] === colon);
  });
}
