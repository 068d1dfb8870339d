import type { Ns, Tokens } from '../units.ts';

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
}

export interface TrafficTotals {
  readonly requests: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly blockRefs: number;
  readonly uniqueBlocks: number;
  readonly durationNs: Ns;
}
