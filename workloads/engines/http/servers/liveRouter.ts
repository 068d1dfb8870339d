import {
  type ClusterView,
  type Membership,
  type Router,
  type RouterKind,
  ScoreSheet,
  type Telemetry,
  type VisibleRequest,
} from '../../../routing/router.ts';
import type { ServerInstance } from '../../../run/instanceSpec.ts';
import type { ParameterValues } from '../../../run/parameter.ts';
import { stream } from '../../../run/random.ts';
import { absentInt32 } from '../../../run/tables.ts';
import type { Ms, Ns, Tokens } from '../../../units.ts';
import type { Misprediction } from './mispredictions.ts';
import { ServerPrefixes } from './serverPrefixes.ts';
import type { ServerReadings } from './serverReadings.ts';

/** Tokens of a block of our own prefix index, where no server names its own. */
const blockTokens = 16;
/** What an untried server is taken to do, until its answers say better. */
const assumedPrefillRate = 10_000;
const assumedDecodeNs = 20e6;
/** Weight of the latest answer in the running means. */
const recent = 0.3;

export interface LiveRequest {
  readonly promptTokens: Tokens;
  /** The prompt as token ids, or as numbers that stand for pieces of its text. */
  readonly prompt: ArrayLike<number>;
  /** The numbers stand for a text (`textPieces`): lengths are estimates until the answer's usage tells. */
  readonly isText: boolean;
  /** Equal texts are one session; absent: none. */
  readonly session?: string | undefined;
}

/** Where a request goes, and why. */
export interface LiveDecision {
  readonly server: number;
  readonly predictedCached: Tokens;
  /** Totals and terms per server; NaN where a server was no candidate. */
  readonly totals: Float64Array;
  readonly terms: Float64Array;
}

/** One request under way on a server; given back with each event about it. */
export interface LiveFlight {
  readonly server: number;
  readonly promptTokens: Tokens;
  readonly predictedCached: Tokens;
  readonly prompt: ArrayLike<number>;
  readonly arrivedMs: Ms;
  isDecoding: boolean;
  outputTokens: Tokens;
}

/** What an answer told; absent where the server does not tell. */
export interface LiveAnswer {
  readonly outputTokens: Tokens;
  /** First to last token. */
  readonly decodeMs: Ms;
  readonly cached: Tokens | undefined;
  readonly promptTokens: Tokens | undefined;
}

/**
 * Dyno's routers in front of real servers, for traffic that is not known beforehand. In-flight counts are our own and exact for
 * our own traffic; what a server reports beyond them is other clients' load and is added. KV use that no server reports is
 * taken from our own requests.
 */
export class LiveRouter {
  readonly kind: RouterKind;
  readonly servers: readonly ServerInstance[];
  readonly prefixes: readonly ServerPrefixes[];
  private readonly router: Router;
  private readonly view: ClusterView;
  private readonly membership: Membership & { version: number };
  private readonly board: Telemetry;
  private readonly sheet: ScoreSheet;
  private readonly request: VisibleRequest;
  private readonly flights = new Set<LiveFlight>();
  private readonly readings: (ServerReadings | undefined)[];
  /** Requests of ours on each server when its last reading was taken. */
  private readonly oursAtReading: { waiting: number; running: number }[];
  private readonly sessions = new Map<string, number>();
  private count = 0;

  constructor(kind: RouterKind, parameters: ParameterValues, servers: readonly ServerInstance[], seed = 0) {
    const n = servers.length;
    this.kind = kind;
    this.servers = servers;
    const column = (value: number) => new Float64Array(n).fill(value);
    this.membership = { version: 1, takes: new Uint8Array(n).fill(1) };
    this.view = {
      instances: n,
      role: servers.map(({ pool }) => pool),
      membership: this.membership,
      profiledPrefillRate: column(assumedPrefillRate),
      profiledDecodeNs: column(assumedDecodeNs),
      ...{ profiledPerSequenceNs: column(0), profiledPerContextNs: column(0), hourlyCost: column(1) },
      ...{ kvBytesPerToken: 131_072, blockTokens, maxBatchedTokens: 8192, maxSequences: 256 },
      ...{ linkBytesPerSec: 25e9, linkLatencyNs: 10_000, slo: {} },
    };
    this.board = {
      ...{ instances: n, takenNs: 0, waiting: column(0), running: column(0), pendingPrefill: column(0) },
      ...{ decoding: column(0), decodeContext: column(0), kvUsed: column(0), kvTotal: column(1) },
      ...{ prefillRate: column(Number.NaN), decodePassNs: column(Number.NaN), ttftMs: column(0) },
      ...{ tokensPerSecond: column(0), sentRequests: column(0), sentPromptTokens: column(0) },
    };
    this.sheet = new ScoreSheet(n, kind.terms.length);
    this.request = {
      ...{ request: 0, nowNs: 0, arrivalNs: 0, promptTokens: 0, contextTokens: 0, priority: 0 },
      ...{ session: absentInt32, blocks: 0, holder: -1, cachedTokens: column(0) },
    };
    this.prefixes = servers.map(
      ({ kv_blocks: capacity }) =>
        new ServerPrefixes({ blockTokens, capacity: capacity ?? Number.POSITIVE_INFINITY }),
    );
    this.readings = servers.map(() => undefined);
    this.oursAtReading = servers.map(() => ({ waiting: 0, running: 0 }));
    this.router = kind.create({ cluster: this.view, parameters, random: stream(seed, 'routing live') });
  }

  get inFlight(): number {
    return this.flights.size;
  }

  inFlightOn(server: number): { readonly waiting: number; readonly running: number } {
    let waiting = 0;
    let running = 0;
    for (const flight of this.flights) {
      if (flight.server !== server) continue;
      if (flight.isDecoding) running++;
      else waiting++;
    }
    return { waiting, running };
  }

  misprediction(server: number): Misprediction | undefined {
    return this.prefixes[server]?.misprediction;
  }

  takes(server: number): boolean {
    return this.membership.takes[server] === 1;
  }

  /** A server that is down gets no requests until it is back. */
  setTakes(server: number, takes: boolean): void {
    if (this.takes(server) === takes) return;
    this.membership.takes[server] = takes ? 1 : 0;
    this.membership.version++;
    if (!takes) this.prefixes[server]?.clear();
  }

  /** Figures of a server's /metrics. */
  reading(server: number, readings: ServerReadings): void {
    this.readings[server] = readings;
    this.oursAtReading[server] = this.inFlightOn(server);
    const tokens = readings.kvBlocks * readings.blockTokens;
    if (tokens > 0) this.prefixes[server]?.setCapacity(tokens);
  }

  /** Undefined where no server takes requests. */
  route(asked: LiveRequest, nowMs: Ms): LiveDecision | undefined {
    if (!this.membership.takes.includes(1)) return undefined;
    const now: Ns = nowMs * 1e6;
    this.look(now);
    const { request, sheet } = this;
    request.request = this.count++;
    request.nowNs = now;
    request.arrivalNs = now;
    request.promptTokens = asked.promptTokens;
    request.contextTokens = asked.promptTokens;
    request.session = asked.session === undefined ? absentInt32 : this.sessionOf(asked.session);
    request.blocks = Math.ceil(asked.promptTokens / blockTokens);
    this.prefixes.forEach((prefixes, i) => {
      request.cachedTokens[i] = this.kind.needs.prefix ? prefixes.predict(asked.prompt, asked.isText) : 0;
    });
    sheet.clear();
    const server = this.router.prefill(request, this.board, sheet);
    const predictedCached = this.kind.needs.prefix
      ? (request.cachedTokens[server] ?? 0)
      : (this.prefixes[server]?.predict(asked.prompt, asked.isText) ?? 0);
    return { server, predictedCached, totals: sheet.total.slice(), terms: sheet.terms.slice() };
  }

  /** The request went to the server. */
  sent(asked: LiveRequest, decision: LiveDecision, nowMs: Ms): LiveFlight {
    const flight: LiveFlight = {
      ...{ server: decision.server, promptTokens: asked.promptTokens, prompt: asked.prompt },
      ...{ predictedCached: decision.predictedCached, arrivedMs: nowMs, isDecoding: false, outputTokens: 0 },
    };
    this.flights.add(flight);
    this.prefixes[decision.server]?.sent(asked.prompt);
    return flight;
  }

  firstToken(flight: LiveFlight, nowMs: Ms): void {
    flight.isDecoding = true;
    const i = flight.server;
    const ttft = nowMs - flight.arrivedMs;
    const { ttftMs, prefillRate } = this.board;
    ttftMs[i] = mean(ttftMs[i] || ttft, ttft);
    const computed = Math.max(1, flight.promptTokens - flight.predictedCached);
    // An idle server's TTFT is its prefill; a queue's would make it look slow.
    if (ttft > 0 && this.inFlightOn(i).waiting === 0)
      prefillRate[i] = mean(prefillRate[i] ?? Number.NaN, (computed / ttft) * 1000);
  }

  /** The answer ended. */
  ended(flight: LiveFlight, answer: LiveAnswer): void {
    this.flights.delete(flight);
    const i = flight.server;
    if (answer.outputTokens > 1 && answer.decodeMs > 0) {
      const perToken = answer.decodeMs / (answer.outputTokens - 1);
      const { decodePassNs, tokensPerSecond } = this.board;
      decodePassNs[i] = mean(decodePassNs[i] ?? Number.NaN, perToken * 1e6);
      tokensPerSecond[i] = mean(tokensPerSecond[i] || 1000 / perToken, 1000 / perToken);
    }
    const { cached, promptTokens } = answer;
    // Of a text, our pieces and the server's tokens differ in length: the share of the prompt is compared.
    const scale = promptTokens !== undefined && promptTokens > 0 ? flight.prompt.length / promptTokens : 1;
    this.prefixes[i]?.answered(
      flight.prompt,
      flight.predictedCached,
      cached === undefined ? undefined : cached * scale,
    );
  }

  failed(flight: LiveFlight): void {
    this.flights.delete(flight);
  }

  private look(now: Ns): void {
    const { board } = this;
    board.takenNs = now;
    for (const column of [
      board.waiting,
      board.running,
      board.pendingPrefill,
      board.decodeContext,
      board.kvUsed,
    ])
      column.fill(0);
    for (const flight of this.flights) {
      const i = flight.server;
      const context = flight.promptTokens + flight.outputTokens;
      add(board.kvUsed, i, Math.ceil(context / blockTokens));
      if (flight.isDecoding) {
        add(board.running, i, 1);
        add(board.decodeContext, i, context);
      } else {
        add(board.waiting, i, 1);
        add(board.pendingPrefill, i, flight.promptTokens - flight.predictedCached);
      }
    }
    for (let i = 0; i < board.instances; i++) {
      board.decoding[i] = board.running[i] ?? 0;
      const readings = this.readings[i];
      const ours = this.oursAtReading[i] ?? { waiting: 0, running: 0 };
      if (readings !== undefined) {
        const others = readings.waiting + readings.running - ours.waiting - ours.running;
        if (others > 0) add(board.running, i, others);
      }
      const total = this.servers[i]?.kv_blocks ?? readings?.kvBlocks ?? Number.NaN;
      const used = board.kvUsed[i] ?? 0;
      board.kvTotal[i] = total > 0 ? total : Math.max(1, used);
      if (readings !== undefined && readings.kvUse >= 0 && total > 0)
        board.kvUsed[i] = readings.kvUse * total;
      // Neither size nor use is known: such servers are told apart by their queues only.
      else if (!(total > 0)) board.kvUsed[i] = 0;
    }
  }

  private sessionOf(text: string): number {
    const known = this.sessions.get(text);
    if (known !== undefined) return known;
    const index = this.sessions.size;
    this.sessions.set(text, index);
    return index;
  }
}

const add = (column: Float64Array, i: number, value: number): void => {
  column[i] = (column[i] ?? 0) + value;
};

const mean = (before: number, value: number): number =>
  Number.isNaN(before) ? value : before + recent * (value - before);

/** Characters that stand for one token of a prompt that came as text. */
export const charactersPerToken = 4;

/** A text as numbers, one per four characters: equal beginnings give equal numbers. */
export function textPieces(text: string): Int32Array {
  const pieces = new Int32Array(Math.ceil(text.length / charactersPerToken));
  for (let i = 0; i < pieces.length; i++) {
    let piece = 0;
    for (let k = 0; k < charactersPerToken; k++)
      piece = Math.imul(piece, 0x1000193) ^ (text.charCodeAt(i * charactersPerToken + k) || 0);
    pieces[i] = piece;
  }
  return pieces;
}
