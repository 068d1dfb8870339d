import type { Ns } from '../../units.ts';
import type { Instance } from '../instance.ts';
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

  compose(instance: Instance, start: Ns): boolean {
    // Requests whose prefix came from a lower tier are in the batch already.
    const left = instance.continuePrompts(instance.settings.maxBatchedTokens);
    if (instance.swapped === 0) instance.admit(start, left, true);
    if (instance.prefills > 0) {
      instance.stallDecoding();
      return false;
    }
    const preempted = instance.takeDecodeBlocks(start);
    instance.resumeDecoding(start);
    return preempted;
  }

  victim(instance: Instance): number {
    return victimOf(instance, this.keys);
  }
}
