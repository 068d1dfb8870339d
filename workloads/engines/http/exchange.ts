import type { Ns, Tokens } from '../../units.ts';
import { answerDetails, oneLine } from './answerDetails.ts';
import { EventFacts } from './eventFacts.ts';
import { HeldBytes } from './heldBytes.ts';
import { type BodySink, ResponseParser } from './httpResponse.ts';
import type { RequestRecords, TokenRule } from './requestRecords.ts';
import { retryAfterSeconds } from './retryAfter.ts';
import { EventScanner, type EventSink } from './serverSentEvents.ts';
import { decodeUtf8 } from './utf8.ts';

/** An event longer than this, or a stream that never ends one, is given up. */
export const longestEvent = 16 << 20;
/** Of an error's body, and of a body that is no event stream. */
const longestBody = 65_536;
/** Two events of a stream that are closer than this came as one. */
export const coalescedWithin: Ns = 20_000;

/** These answers mean "not now": the request is rejected, not failed. 529 is Dynamo's, 408 SGLang's queue time-out. */
const rejections: ReadonlySet<number> = new Set([408, 429, 503, 529]);

/** Told of each event that holds tokens, and once when the request is over. */
export interface ExchangeListener {
  /** `written` is a stamped server's own time of writing (CLOCK_MONOTONIC), NaN from any other server. */
  tokens(row: number, time: Ns, count: Tokens, written: Ns): void;
  over(row: number): void;
}

// Events are read one after the other on one thread: all exchanges share one reader.
const facts = new EventFacts();

/**
 * One request and its answer on one connection: bytes in, times and counts out. Success is a finish reason, no error object
 * and a clean end; everything else keeps what came and says in one line why it is no success.
 */
export class Exchange implements BodySink, EventSink {
  readonly row: number;
  over = false;
  /** The response lets the connection be used again. */
  reusable = false;
  lastEvent: Ns = Number.NaN;
  badUtf8Events = 0;
  readonly #records: RequestRecords;
  readonly #listener: ExchangeListener;
  readonly #parser: ResponseParser;
  readonly #events: EventScanner;
  readonly #body = new HeldBytes();
  #time: Ns = 0;
  #anyEvent = false;
  #finished = false;
  #doneMark = false;
  #fault: string | undefined;
  /** Cumulative counts of the server seen so far, for rules that subtract. */
  #usageSeen = 0;
  #predictedSeen = 0;
  #textSeen = 0;
  #continuousUsage = false;
  #idSeen = false;

  constructor(row: number, records: RequestRecords, listener: ExchangeListener) {
    this.row = row;
    this.#records = records;
    this.#listener = listener;
    this.#parser = new ResponseParser(this);
    this.#events = new EventScanner(this, longestEvent);
  }

  /** Bytes of one read, stamped. */
  push(time: Ns, bytes: Uint8Array, from: number, to: number): void {
    if (this.over) {
      // The last chunk often comes in a read of its own after [DONE]: only then is the connection free.
      if (this.#doneMark) this.#parser.push(bytes, from, to);
      this.reusable = this.#parser.keepsConnection;
      return;
    }
    this.#time = time;
    this.#parser.push(bytes, from, to);
    if (this.#parser.fault !== undefined) this.#fault ??= `bad HTTP: ${this.#parser.fault}`;
    if (this.#events.tooLong)
      this.#fault ??= `an event of more than ${longestEvent >> 20} MiB without an end`;
    if (this.#fault !== undefined) this.#fail(this.#fault);
    else if (this.#parser.done) this.#bodyEnded();
    else if (this.#doneMark) this.#finish();
  }

  /** The server closed the connection. */
  connectionEnded(time: Ns): void {
    if (this.over) return;
    this.#time = time;
    if (!this.#parser.headSeen) this.#fail('the server closed the connection without an answer');
    else if (this.#parser.endsWithConnection) this.#bodyEnded();
    else this.#fail(`truncated: the connection closed inside the answer${this.#soFar()}`);
  }

  /** The connection broke, or the client gave the request up. */
  broke(time: Ns, why: string): void {
    if (this.over) return;
    this.#time = time;
    this.#fail(`${why}${this.#anyEvent ? this.#soFar() : ''}`);
  }

  withdraw(time: Ns): void {
    if (this.over) return;
    this.#time = time;
    this.#close('withdrawn');
  }

  /** Whether anything of the answer has come. */
  get answered(): boolean {
    return this.#parser.headSeen;
  }

  #soFar(): string {
    return ` after ${this.#records.tokens[this.row] ?? 0} tokens`;
  }

  // ---- BodySink

  head(status: number): void {
    const records = this.#records;
    records.headers[this.row] = this.#time;
    records.status[this.row] = status;
    const id = this.#parser.headers.get('x-request-id');
    if (id !== undefined) records.note(this.row, { requestId: oneLine(id) });
  }

  body(bytes: Uint8Array, from: number, to: number): void {
    if (this.over) return;
    if (this.#parser.status === 200) this.#events.push(bytes, from, to);
    else this.#keepBody(bytes, from, to);
  }

  #keepBody(bytes: Uint8Array, from: number, to: number): void {
    const room = longestBody - this.#body.length;
    if (room > 0) this.#body.append(bytes, from, Math.min(to, from + room));
  }

  // ---- EventSink

  stray(bytes: Uint8Array, from: number, to: number): void {
    this.#keepBody(bytes, from, to);
  }

  event(bytes: Uint8Array, from: number, to: number): void {
    if (this.over || this.#fault !== undefined || this.#doneMark) return;
    if (isDoneMark(bytes, from, to)) {
      this.#doneMark = true;
      return;
    }
    const { row } = this;
    const records = this.#records;
    if (!this.#anyEvent) {
      this.#anyEvent = true;
      records.firstEvent[row] = this.#time;
    }
    if (!facts.read(bytes, from, to)) {
      this.#fault = `wrong JSON in an event: ${facts.fault}: "${oneLine(decodeUtf8(bytes, from, Math.min(to, from + 80)))}"`;
      return;
    }
    if (facts.badUtf8) this.badUtf8Events++;
    if (!this.#idSeen && facts.idFrom >= 0) {
      this.#idSeen = true;
      records.note(row, { requestId: decodeUtf8(bytes, facts.idFrom, facts.idTo) });
    }
    this.#countTokens();
    this.#keepUsage();
    if (facts.odd) this.#readOdd(decodeUtf8(bytes, from, to));
  }

  /**
   * Tokens in this event: its ids; else what the server's running count gained; else one where there is text. A running
   * count (`continuous_usage_stats`) is one that comes with text before the end; a final count alone names no event.
   */
  #countTokens(): void {
    const { row } = this;
    const records = this.#records;
    const text = facts.cumulative ? facts.content - this.#textSeen : facts.textBytes;
    if (facts.cumulative) this.#textSeen = Math.max(this.#textSeen, facts.content);
    const running = facts.completionTokens;
    let count = text > 0 ? 1 : 0;
    let rule: TokenRule = 'text';
    if (!Number.isNaN(running) && !facts.finished && text > 0) this.#continuousUsage = true;
    if (facts.tokenIds > 0) {
      count = facts.tokenIds;
      rule = 'ids';
    } else if (
      !Number.isNaN(running) &&
      (this.#continuousUsage || (text > 0 && (records.tokens[row] ?? 0) === 0))
    ) {
      count = Math.max(0, running - this.#usageSeen);
      rule = 'usage';
    } else if (facts.predicted > this.#predictedSeen && text > 0) {
      count = facts.predicted - this.#predictedSeen;
      rule = 'timings';
    }
    if (!Number.isNaN(running)) this.#usageSeen = Math.max(this.#usageSeen, running);
    if (!Number.isNaN(facts.predicted)) this.#predictedSeen = Math.max(this.#predictedSeen, facts.predicted);
    if (count === 0) return;
    if (records.events[row] === 0) {
      records.firstToken[row] = this.#time;
      records.setTokenRule(row, rule);
    } else if (this.#time - this.lastEvent < coalescedWithin)
      records.coalesced[row] = (records.coalesced[row] ?? 0) + 1;
    const readable = facts.content > 0 || facts.toolCall > 0 || (facts.reasoning === 0 && facts.tokenIds > 0);
    if (readable && Number.isNaN(records.firstContent[row] ?? Number.NaN))
      records.firstContent[row] = this.#time;
    records.lastToken[row] = this.lastEvent = this.#time;
    records.events[row] = (records.events[row] ?? 0) + 1;
    records.tokens[row] = (records.tokens[row] ?? 0) + count;
    this.#listener.tokens(row, this.#time, count, facts.writtenAt);
  }

  #keepUsage(): void {
    const { row } = this;
    const records = this.#records;
    if (!Number.isNaN(facts.promptTokens)) records.promptTokens[row] = facts.promptTokens;
    if (!Number.isNaN(facts.cachedTokens)) records.cachedTokens[row] = facts.cachedTokens;
    if (!Number.isNaN(facts.completionTokens)) records.completionTokens[row] = facts.completionTokens;
  }

  #readOdd(text: string): void {
    if (facts.finished) this.#finished = true;
    const details = answerDetails(text);
    if (details === undefined) return;
    const { error, ...notes } = details;
    if (Object.keys(notes).length > 0) this.#records.note(this.row, notes);
    if (facts.error || error !== undefined)
      this.#fault = `error inside the stream${this.#soFar()}: ${error ?? 'without a message'}`;
  }

  // ---- Ends

  #bodyEnded(): void {
    if (this.#parser.status === 200) this.#events.end();
    if (this.#fault !== undefined) this.#fail(this.#fault);
    else this.#finish();
  }

  #finish(): void {
    const status = this.#parser.status;
    if (status !== 200) this.#refused(status);
    else if (!this.#anyEvent && this.#body.length > 0) this.#noStream();
    else if (!this.#anyEvent) this.#fail('an empty answer with status 200');
    else if (!this.#finished)
      this.#fail(`truncated: the stream ended without a finish reason${this.#soFar()}`);
    else {
      this.reusable = this.#parser.keepsConnection;
      this.#close('ok');
    }
  }

  #said(): string {
    const text = decodeUtf8(this.#body.bytes, 0, this.#body.length);
    return answerDetails(text)?.error ?? oneLine(text.replace(/<[^>]*>/g, ' '));
  }

  #noStream(): void {
    const details = answerDetails(decodeUtf8(this.#body.bytes, 0, this.#body.length));
    if (details?.error !== undefined) this.#fail(`error with status 200: ${details.error}`);
    else if (details === undefined) this.#fail(`no event stream but "${this.#said()}"`);
    else this.#fail('answered as a whole, not as a stream: the server does not stream here');
  }

  #refused(status: number): void {
    const said = this.#said();
    const line = `status ${status}${said === '' ? '' : `: ${said}`}`;
    if (rejections.has(status)) {
      const { headers } = this.#parser;
      const retryAfter = retryAfterSeconds(headers.get('retry-after'), headers.get('date'));
      this.#records.note(this.row, {
        failure: line,
        ...(retryAfter === undefined ? {} : { retryAfter }),
      });
      this.#close('rejected');
    } else if (status >= 300 && status < 400) {
      const to = this.#parser.headers.get('location');
      this.#fail(
        `status ${status}: redirects are refused${to === undefined ? '' : ` (to ${oneLine(to)})`}; give the final URL`,
      );
    } else if (status === 401 || status === 403) {
      this.#fail(`${line}; name the key's environment variable with --api-key-env`);
    } else this.#fail(line);
  }

  #fail(why: string): void {
    this.#records.note(this.row, { failure: why });
    this.#close('failed');
  }

  #close(outcome: 'ok' | 'failed' | 'rejected' | 'withdrawn'): void {
    this.over = true;
    this.#records.ended[this.row] = this.#time;
    this.#records.setOutcome(this.row, outcome);
    this.#listener.over(this.row);
  }
}

function isDoneMark(bytes: Uint8Array, from: number, to: number): boolean {
  // [DONE]
  return (
    to - from >= 6 &&
    bytes[from] === 91 &&
    bytes[from + 1] === 68 &&
    bytes[from + 2] === 79 &&
    bytes[from + 3] === 78 &&
    bytes[from + 4] === 69 &&
    bytes[from + 5] === 93
  );
}
