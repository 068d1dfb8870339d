import type { Ns, Tokens } from '../units.ts';
import type { BatchState } from './batchState.ts';
import type { PassPlan, PassResult } from './passPlan.ts';
import type { ReplicaTotals } from './replica.ts';

/**
 * Decides what an instance computes: it puts passes together out of the requests that wait and run, and takes what a pass
 * produced. It has no clock: `Instance` says when a pass starts and when it has ended.
 *
 *   compose(start) ─► plan ─► a cost model, or a device, runs it ─► commit(plan, when it ran)
 */
export interface Batcher {
  readonly state: BatchState;
  /** The pass that was composed last, until it is committed. */
  readonly plan: PassPlan;
  /** When the next pass can start, `now` or later; Infinity where no request is here. */
  readyAt(now: Ns): Ns;
  /** Puts the pass together that starts at `start`; undefined where no request can run. */
  compose(start: Ns): PassPlan | undefined;
  /** Writes the rows of the composed pass into its plan, as a device needs them. */
  writeRows(): void;
  /** The pass has run: its tokens are there. */
  commit(plan: PassPlan, result: PassResult): void;
  /** Prompts in the batch. */
  readonly prefills: number;
  /** Sequences in the batch that decode, and the tokens of context that they attend to together. */
  readonly decoding: number;
  readonly decodeContext: Tokens;
  /** Tokens that a decoding sequence has produced by now. */
  generatedSoFar(r: number): Tokens;
  /** What it counted beside the counters of every instance. */
  totals(): Pick<ReplicaTotals, 'technique' | 'swap' | 'padding'>;
}
