import type { Ns } from '../../units.ts';
import type { ServerTimes } from './answerDetails.ts';

/** How a request ended. Only `ok` enters latency statistics. */
export const outcomes = ['pending', 'ok', 'rejected', 'failed', 'withdrawn'] as const;
export type Outcome = (typeof outcomes)[number];

/** How tokens per event were counted, best first; `text`: an event with text is one token, whatever it held. */
export const tokenRules = ['none', 'ids', 'usage', 'timings', 'text'] as const;
export type TokenRule = (typeof tokenRules)[number];

/** Facts of one request that most requests don't have or that are text. */
export interface RequestNotes {
  readonly requestId?: string;
  readonly finishReason?: string;
  /** Why it isn't `ok`, one line. */
  readonly failure?: string;
  /** Seconds, from a Retry-After header in seconds or as a date. */
  readonly retryAfter?: number;
  readonly serverTimes?: ServerTimes;
  readonly worker?: string;
}

const timeColumns = [
  'due',
  'started',
  'connected',
  'sent',
  'headers',
  'firstEvent',
  'firstToken',
  'firstContent',
  'lastToken',
  'ended',
] as const;
export type TimeColumn = (typeof timeColumns)[number];

/**
 * One row per request, as columns; times in ns on the run's clock, NaN where the moment never came. Columns grow by
 * doubling, never per event.
 */
export class RequestRecords {
  count = 0;
  due = new Float64Array(0);
  /** The sender turned to it: `started - due` is the schedule delay. */
  started = new Float64Array(0);
  /** Equal to `started` of an earlier request's connection where it was used again. */
  connected = new Float64Array(0);
  sent = new Float64Array(0);
  headers = new Float64Array(0);
  /** Any event, a role chunk too. */
  firstEvent = new Float64Array(0);
  /** Content, reasoning, tool call or token ids. */
  firstToken = new Float64Array(0);
  /** Content or tool call: what a reader of the answer sees first. */
  firstContent = new Float64Array(0);
  lastToken = new Float64Array(0);
  ended = new Float64Array(0);
  /** Tokens and events with tokens that arrived, of failed requests too. */
  tokens = new Uint32Array(0);
  events = new Uint32Array(0);
  /** Events that came less than 20 µs after the one before: merged by the network, or by a late client. */
  coalesced = new Uint32Array(0);
  /** From the server's usage; NaN where it gave none. */
  promptTokens = new Float64Array(0);
  cachedTokens = new Float64Array(0);
  completionTokens = new Float64Array(0);
  status = new Uint16Array(0);
  outcome = new Uint8Array(0);
  tokenRule = new Uint8Array(0);
  server = new Int32Array(0);
  /** Requests repeated on a new connection because a kept one had been closed. */
  connectionRetries = new Uint8Array(0);
  readonly notes = new Map<number, RequestNotes>();

  add(due: Ns, server: number): number {
    const row = this.count++;
    if (row === this.due.length) this.#grow(Math.max(1024, row * 2));
    for (const column of timeColumns) this[column][row] = Number.NaN;
    this.promptTokens[row] = this.cachedTokens[row] = this.completionTokens[row] = Number.NaN;
    this.due[row] = due;
    this.server[row] = server;
    return row;
  }

  outcomeOf(row: number): Outcome {
    return outcomes[this.outcome[row] ?? 0] ?? 'pending';
  }
  setOutcome(row: number, outcome: Outcome): void {
    this.outcome[row] = outcomes.indexOf(outcome);
  }
  tokenRuleOf(row: number): TokenRule {
    return tokenRules[this.tokenRule[row] ?? 0] ?? 'none';
  }
  setTokenRule(row: number, rule: TokenRule): void {
    this.tokenRule[row] = tokenRules.indexOf(rule);
  }
  note(row: number, notes: RequestNotes): void {
    this.notes.set(row, { ...this.notes.get(row), ...notes });
  }

  #grow(size: number): void {
    const doubles = (old: Float64Array) => {
      const wider = new Float64Array(size);
      wider.set(old);
      return wider;
    };
    const wholes = (old: Uint32Array) => {
      const wider = new Uint32Array(size);
      wider.set(old);
      return wider;
    };
    const bytes = (old: Uint8Array) => {
      const wider = new Uint8Array(size);
      wider.set(old);
      return wider;
    };
    for (const column of timeColumns) this[column] = doubles(this[column]);
    this.promptTokens = doubles(this.promptTokens);
    this.cachedTokens = doubles(this.cachedTokens);
    this.completionTokens = doubles(this.completionTokens);
    this.tokens = wholes(this.tokens);
    this.events = wholes(this.events);
    this.coalesced = wholes(this.coalesced);
    this.outcome = bytes(this.outcome);
    this.tokenRule = bytes(this.tokenRule);
    this.connectionRetries = bytes(this.connectionRetries);
    const status = new Uint16Array(size);
    status.set(this.status);
    this.status = status;
    const server = new Int32Array(size);
    server.set(this.server);
    this.server = server;
  }
}
