import type { Ns } from '../units.ts';
import type { Instance } from './instance.ts';
import type { PassPlan, PassResult } from './passPlan.ts';

/**
 * Runs the passes of one instance where time is not simulated. An instance has at most one pass under way; `run` returns at
 * once, and `done` is called exactly once, from a later turn of the event loop, when the pass has ended. After `done` the
 * plan's columns belong to the next pass.
 */
export interface Executor {
  run(instance: Instance, plan: PassPlan, startNs: Ns, done: (result: PassResult) => void): void;
  /** The blocks and the device state of r are free: it ended, was preempted, or left for another instance. */
  released?(r: number): void;
  /** Before the next pass, the KV cache of r in `blocks` goes to host memory; from then on the blocks are free for others. */
  swapsOut?(r: number, blocks: readonly number[]): void;
  /** Before the next pass, the KV cache of r comes back, into `blocks`. */
  swapsIn?(r: number, blocks: readonly number[]): void;
}
