import type { IterationShape } from '../cost/costModel.ts';
import type { Ns } from '../units.ts';
import type { Instance } from './instance.ts';

/**
 * Instances whose passes depend on each other: data-parallel ranks that exchange tokens in every sparse layer, or micro-batches
 * that share the stages of a pipeline. One of them cannot be advanced alone, so `advanceTo` of any advances all.
 */
export interface Coupling {
  /** Runs every pass of every member that starts before t; one that ends later stays in progress. */
  advanceTo(t: Ns): void;
  /** Starts what can start at t; used where passes are events of their own. */
  startAt(t: Ns): void;
  /** When a member that is not in a pass may be in the next one at the earliest; 0 where nothing holds it up. */
  nextStart(): Ns;
  /** How long the pass that `member` starts at `start` takes. */
  passNs(member: Instance, start: Ns, shape: IterationShape): Ns;
}
