import type { TimeUnit } from '../run/timeUnits.ts';
import type { Ns, Tokens } from '../units.ts';
import type { TraceFormat } from './traces/dialects.ts';

/**
 * The requests of a run, as columns, in order of arrival. What a trace reader reads and a generator draws.
 *
 * Prefix identity: request r has the block ids blockIds[blockOffsets[r] .. blockOffsets[r+1]), one per `blockTokens`
 * tokens of its prompt (the last may be partial). Equal ids mean an equal prefix up to and including that block.
 * Ids are dense, 0 .. uniqueBlocks-1. Without known prefixes `blockTokens` is 0 and the offsets are all 0.
 */
export interface Traffic {
  /** Where it comes from, for people: a file name, or the generator and its parameters. */
  readonly name: string;
  readonly requests: number;
  /** Intended arrival since the first one, ascending. */
  readonly arrivalNs: Float64Array;
  readonly promptTokens: Int32Array;
  /** The true output length. An engine uses it to know when to stop; a router never sees it. */
  readonly outputTokens: Int32Array;
  /** 0 = most important. All 0 where the source knows no priorities. */
  readonly priority: Uint8Array;
  /** Session (conversation) index, or -1-free: absentInt32 where the source knows no sessions. */
  readonly session: Int32Array;
  readonly blockTokens: Tokens;
  readonly blockOffsets: Int32Array;
  readonly blockIds: Int32Array;
  readonly uniqueBlocks: number;
  /** Present where some requests wait for an answer: closed conversations. */
  readonly turns?: Turns;
  /** How a trace file was understood; absent where traffic was generated. */
  readonly source?: TraceSource;
}

/** Per request: which one it follows, and the time between that one's last token and its own arrival. */
export interface Turns {
  /** Index of the request before it in its conversation, -1 where it arrives at `arrivalNs`. */
  readonly previous: Int32Array;
  /** Think time, ns; `arrivalNs` of such a request is only a lower bound: the arrival if answers took no time. */
  readonly thinkNs: Float64Array;
}

export interface TraceSource {
  readonly format: TraceFormat;
  readonly label: string;
  readonly time_unit?: TimeUnit;
  readonly block_tokens?: number;
  /** How the values were understood, one phrase each. */
  readonly findings: readonly string[];
  /** Requests read, dropped ones included. */
  readonly rows: number;
  readonly dropped_empty?: number;
  readonly dropped_oversized?: number;
}

export interface TrafficTotals {
  readonly requests: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly blockRefs: number;
  readonly uniqueBlocks: number;
  readonly durationNs: Ns;
}
