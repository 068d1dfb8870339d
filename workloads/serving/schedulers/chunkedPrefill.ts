import type { Ns } from '../../units.ts';
import { IntQueue } from '../intQueue.ts';
import type { PassComposer } from '../passComposer.ts';
import type { Order } from './order.ts';
import type { PassCap } from './passCap.ts';
import type { Scheduler, WaitingQueue } from './scheduler.ts';
import type { SwapSpace } from './swapSpace.ts';
import { victimOf } from './victim.ts';

/**
 * vLLM V1's pass: every decoding sequence gets one token, the rest of the token budget goes to prompts in order of admission,
 * cut into chunks, then waiting requests are admitted while budget, sequences and blocks for their whole prompt last.
 *
 *   budget 8   pass 1        pass 2        pass 3
 *   A decodes  ■             ■             ■
 *   B prompt   □□□□□□□       □□□□          ■
 *   C prompt                 □□□           □□ …
 */
export class ChunkedPrefill implements Scheduler {
  readonly waiting: WaitingQueue;
  readonly reorders: boolean;
  readonly ages: boolean;
  readonly swap?: SwapSpace;
  private readonly keys: ArrayLike<number> | undefined;
  private readonly cap: PassCap | undefined;

  constructor(order?: Order, swap?: SwapSpace, cap?: PassCap) {
    this.waiting = order?.queue() ?? new IntQueue();
    this.reorders = order?.reorders ?? false;
    this.ages = order?.ages ?? false;
    this.keys = order?.keys;
    if (swap !== undefined) this.swap = swap;
    this.cap = cap;
  }

  compose(pass: PassComposer, start: Ns): boolean {
    const preempted = pass.takeDecodeBlocks(start);
    let budget = pass.maxBatchedTokens - pass.decodeTokens;
    if (this.cap !== undefined) budget = this.cap.promptTokens(pass, budget);
    const left = pass.continuePrompts(budget);
    // Swapped-out requests come back before new ones are admitted.
    if (!preempted && pass.swapped === 0) pass.admit(start, left, false);
    return preempted;
  }

  victim(pass: PassComposer): number {
    return victimOf(pass, this.keys);
  }
}
