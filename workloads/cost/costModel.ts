import type { Bytes, Flop, Fraction, Ns, Tokens } from '../units.ts';

/**
 * One forward pass of one batch, as a cost model sees it. One mutable object per instance, filled anew for each pass:
 * nothing is allocated on the way.
 *
 *   a prompt of 700 tokens of which 512 were computed before, all the rest in this pass (new tokens see old ones):
 *     prefillTokens 188 · prefillPairs 188 × 512 + 188 × 189 / 2 · prefillContextTokens 700 · prefillSequences 1
 *   16 sequences that decode with 20,000 tokens of context between them:
 *     decodeSequences 16 · decodeContextTokens 20,000
 */
export class IterationShape {
  prefillTokens: Tokens = 0;
  /** (query, key) pairs of causal attention over the new prompt tokens. */
  prefillPairs = 0.5;
  /** Context that the prompt chunks attend to, themselves included: what attention must read. */
  prefillContextTokens: Tokens = 0.5;
  /** Chunks in the pass. */
  prefillSequences = 0;
  /** Chunks that end their prompt: each needs lm_head once. */
  prefillEnds = 0;
  decodeSequences = 0;
  decodeContextTokens: Tokens = 0.5;
  /** Positions per decoding sequence: more than one where drafted tokens are verified. */
  decodeQueries = 1;
  /** The oldest prompt in the pass, −1 where there is none; only where the cost model asks for it. */
  request = -1;
  /** The longest context that decodes; only where the cost model asks for it. */
  decodeLongestTokens: Tokens = 0.5;
}

/** Time of a pass in which nothing but decoding happens and the batch stays: `baseNs + perContextTokenNs × context`. */
export interface DecodeLine {
  baseNs: number;
  perContextTokenNs: number;
}

/** What a pass asks of the hardware, for the modelled utilisation. */
export interface IterationWork {
  flops: Flop;
  bytes: Bytes;
}

/** How long a pass takes. Pure: the same shape gives the same time. */
export interface CostModel {
  /** The model looks at `decodeLongestTokens`. */
  readonly needsLongest?: boolean;
  /** The model looks at `request`. */
  readonly needsRequest?: boolean;
  /** Whole nanoseconds, at least 1. */
  iterationNs(shape: IterationShape): Ns;
  /**
   * The line on which the time of decode-only passes of `sequences` lies, where it is one: a run of such passes is then
   * advanced without asking again. False where the model is no straight line in the context.
   */
  decodeLine(sequences: number, line: DecodeLine): boolean;
  /** FLOPs and bytes of a pass; zeros where the model knows none. */
  work(shape: IterationShape, work: IterationWork): void;
  /** Data-sheet peaks of the instance; undefined where the model knows none. */
  readonly peaks: { readonly flopPerSec: number; readonly bytesPerSec: number } | undefined;
}

export const wholeNs = (ns: number): Ns => (ns > 1 ? Math.round(ns) : 1);

export type Efficiency = Fraction;
