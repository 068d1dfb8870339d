import type { Profile } from '../cost/costModels.ts';
import type { PoolRole } from '../run/poolRole.ts';
import type { Blocks, Bytes, Flop, Ns, Tokens } from '../units.ts';
import type { TechniqueCounts } from './techniques/techniqueCounts.ts';

/**
 * What is known of a replica at one moment. One mutable object, filled anew by `Replica.observe`: nothing is allocated on the
 * way. NaN means unknown: a server that publishes no metrics leaves most fields so, and each router says what it then does.
 */
export class Observation {
  /** Requests that wait for their first scheduling. */
  waiting = Number.NaN;
  /** Requests in the batch, prompts included. */
  running = Number.NaN;
  /** Requests whose KV cache has arrived and that join the batch with the next pass. */
  ready = Number.NaN;
  /** Sequences that decode, and the tokens of context that they attend to together. */
  decoding = Number.NaN;
  decodeContext: Tokens = Number.NaN;
  /** Prompt tokens that wait or are in the batch and are not yet computed. */
  pendingPrefill: Tokens = Number.NaN;
  /** KV blocks that requests hold, blocks that hold anything (prefixes without a user included), and all blocks. */
  kvUsed: Blocks = Number.NaN;
  kvCached: Blocks = Number.NaN;
  kvTotal: Blocks = Number.NaN;
  /** Prompt tokens per second over the last passes with a good share of prompts. */
  prefillRate = Number.NaN;
  /** Duration of the last pass that decoded. */
  decodePassNs: Ns = Number.NaN;
  /** Time with a pass in progress: up to the end of the last finished pass, and up to now. */
  busyNs: Ns = Number.NaN;
  busyUntilNs: Ns = Number.NaN;
  /** Output tokens so far, and how many of them came from the end of a prompt. */
  outputTokens: Tokens = Number.NaN;
  firstTokens: Tokens = Number.NaN;
  /** Work of the finished passes. */
  flops: Flop = Number.NaN;
  bytes: Bytes = Number.NaN;
}

/** What a replica counted over a run; NaN where it cannot know. */
export interface ReplicaTotals {
  readonly completed: number;
  readonly outputTokens: Tokens;
  readonly busyNs: Ns;
  readonly kvBlocks: Blocks;
  /** Largest number of blocks that requests held at once. */
  readonly kvPeak: Blocks;
  /** Prompt blocks that requests asked for, and how many of them were found in a cache. */
  readonly blockRefs: Blocks;
  readonly hits: Blocks;
  readonly evictions: number;
  readonly stranded: Blocks;
  /** Integral of the queue length over time, request-ns, and its largest value. */
  readonly queueIntegral: number;
  readonly queuePeak: number;
  readonly technique?: TechniqueCounts;
  /** KV caches that were swapped to host memory and back. */
  readonly swap?: {
    readonly outs: number;
    readonly ins: number;
    readonly bytes: Bytes;
    readonly stallNs: Ns;
    readonly refused: number;
  };
  /** Rows of a static batch: tokens that were computed, and those of them that a request had asked for. */
  readonly padding?: { readonly computed: Tokens; readonly wanted: Tokens };
}

/** Which prefix blocks a replica holds, as far as it shows them. */
export interface PrefixIndex {
  /** Blocks that it can hold. */
  readonly total: Blocks;
  /** How many leading ids of ids[from .. to) are there. Changes nothing. */
  match(ids: Int32Array, from: number, to: number): Blocks;
}

/**
 * One model replica as routers, admission, recorder and samples see it, whatever serves it: the simulator, a GPU of this
 * machine, or a server that is observed and told.
 */
export interface Replica {
  readonly index: number;
  /** The pool that it works for now. */
  readonly role: PoolRole;
  /** Brings it to t: a simulated replica runs the passes that start before t, all others are up to date by themselves. */
  advanceTo(t: Ns): void;
  /** Writes what is known of it at t, to which it was advanced. */
  observe(into: Observation, t: Ns): void;
  /** Gives it request r at t. */
  submit(r: number, t: Ns): void;
  /** Takes back a request that has not begun; false where it has. */
  withdraw(r: number, t: Ns): boolean;
  /** Requests there that have not ended. */
  readonly outstanding: number;
  /** Undefined where it does not show what it caches. */
  readonly prefixes: PrefixIndex | undefined;
  /** What an operator would measure on it while it is idle; undefined where nothing is known beforehand. */
  profile(maxBatchedTokens: Tokens): Profile | undefined;
  /** Peaks of its hardware by the data sheet; undefined where unknown. */
  readonly peaks: { readonly flopPerSec: number; readonly bytesPerSec: number } | undefined;
  /** What it counted up to `end` of the replicate. */
  totals(end: Ns): ReplicaTotals;
  /** Writes down what is still open at the end of a replicate. */
  close(t: Ns): void;
}
