import type { Ns } from '../../units.ts';
import type { PassComposer } from '../passComposer.ts';
import type { Order } from './order.ts';
import type { Scheduler, WaitingQueue } from './scheduler.ts';
import type { SwapSpace } from './swapSpace.ts';
import { victimOf } from './victim.ts';

/**
 * vLLM V0's pass: where waiting requests can be admitted, a pass of whole prompts and nothing else; decoding stands still
 * meanwhile. Only where none can be admitted a decode pass. A prompt longer than the token budget has a pass to itself.
 *
 *   A decodes  ■ ■ . . ■ ■        the gap between A's tokens holds both prompts
 *   B prompt       □   ■ ■
 *   C prompt         □ ■ ■
 */
export class PrefillFirst implements Scheduler {
  readonly waiting: WaitingQueue;
  readonly reorders: boolean;
  readonly ages: boolean;
  readonly swap?: SwapSpace;
  private readonly keys: ArrayLike<number> | undefined;

  constructor(order: Order, swap?: SwapSpace) {
    this.waiting = order.queue();
    this.reorders = order.reorders;
    this.ages = order.ages;
    this.keys = order.keys;
    if (swap !== undefined) this.swap = swap;
  }

  compose(pass: PassComposer, start: Ns): boolean {
    // Requests whose prefix came from a lower tier are in the batch already.
    const left = pass.continuePrompts(pass.maxBatchedTokens);
    if (pass.swapped === 0) pass.admit(start, left, true);
    if (pass.prefills > 0) {
      pass.stallDecoding();
      return false;
    }
    const preempted = pass.takeDecodeBlocks(start);
    pass.resumeDecoding(start);
    return preempted;
  }

  victim(pass: PassComposer): number {
    return victimOf(pass, this.keys);
  }
}
