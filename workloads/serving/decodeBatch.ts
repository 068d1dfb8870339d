import type { Blocks, Tokens } from '../units.ts';
import { FinishQueue } from './finishQueue.ts';
import { Phase, type RequestTable } from './requestTable.ts';

/**
 * The sequences of one instance that get a token per pass. Between two changes of the batch nothing is looked at per
 * sequence, so that a pass costs the same for one sequence and for a thousand:
 *
 *   context grows by the number of sequences · the next end is the top of a heap of pass numbers
 *   a sequence needs a block every `blockTokens` passes, so a ring counts the sequences that need one at each pass
 */
export class DecodeBatch {
  count = 0;
  /** Tokens that the next pass attends to, all sequences together. */
  context: Tokens = 0;
  /** Passes so far. */
  pass = 0;
  readonly blockTokens: Tokens;
  readonly ring: Int32Array;
  ringAt = 0;
  readonly finishes: FinishQueue;
  /** Tokens of the last pass beyond one per sequence: none, unless a technique gives them. */
  extra = 0;
  private readonly requests: RequestTable;
  /** Context of the longest sequence less the pass counter; −∞ where it is to be looked for. */
  private longestLead = Number.NEGATIVE_INFINITY;

  constructor(requests: RequestTable, blockTokens: Tokens, capacity: number) {
    this.requests = requests;
    this.blockTokens = blockTokens;
    this.ring = new Int32Array(blockTokens);
    this.finishes = new FinishQueue(capacity);
  }

  /** Blocks that the next pass needs for its new tokens. */
  get blocksNeeded(): Blocks {
    return this.ring[this.ringAt] ?? 0;
  }

  /** Tokens of the pass's budget that each sequence takes. */
  get width(): Tokens {
    return 1;
  }

  /** The blocks that the next pass needs were taken. */
  blocksTaken(): void {}

  /** Blocks beyond the shared ones that r, which is in the batch, holds between passes or with one in progress. */
  ownBlocks(r: number, flying: boolean): Blocks {
    const { requests } = this;
    const tokens = (requests.traffic.promptTokens[r] ?? 0) + this.generated(r);
    // A pass in progress has already taken the block of its token.
    return Math.ceil((flying ? tokens : tokens - 1) / this.blockTokens) - (requests.shared[r] ?? 0);
  }

  /** Tokens that r, which is in the batch, has produced by now. */
  generated(r: number): Tokens {
    const { requests } = this;
    return (requests.generated[r] ?? 0) + this.pass - (requests.joinPass[r] ?? 0);
  }

  /** A pass of the whole batch is over; sequences that end with it are still in the batch. */
  step(): void {
    this.pass++;
    this.ringAt++;
    if (this.ringAt === this.blockTokens) this.ringAt = 0;
    this.context += this.count;
  }

  /** The sequence gets a token in each pass from the next one on. Its next token sees prompt + generated tokens. */
  join(r: number): void {
    const { requests } = this;
    const generated = requests.generated[r] ?? 0;
    const context = (requests.traffic.promptTokens[r] ?? 0) + generated;
    requests.phase[r] = Phase.decoding;
    requests.joinPass[r] = this.pass;
    this.count++;
    this.context += context;
    if (context - this.pass > this.longestLead) this.longestLead = context - this.pass;
    this.ringAdd(context, 1);
    this.finishes.push(this.pass + (requests.traffic.outputTokens[r] ?? 0) - generated, r);
  }

  /** Takes a sequence out at the end of a pass and writes down what it holds. The end queue is the caller's business. */
  leave(r: number): void {
    const { requests } = this;
    const generated = this.generated(r);
    const context = (requests.traffic.promptTokens[r] ?? 0) + generated;
    requests.generated[r] = generated;
    requests.own[r] = Math.ceil((context - 1) / this.blockTokens) - (requests.shared[r] ?? 0);
    this.count--;
    this.context -= context;
    if (context - this.pass >= this.longestLead) this.longestLead = Number.NEGATIVE_INFINITY;
    this.ringAdd(context, -1);
  }

  /**
   * A sequence with this context needs a block when the slots it uses, context − 1, fill whole blocks:
   * in (−(context − 1)) mod blockTokens passes.
   */
  private ringAdd(context: Tokens, count: number): void {
    const size = this.blockTokens;
    const at = (this.ringAt + size - ((context - 1) % size)) % size;
    this.ring[at] = (this.ring[at] ?? 0) + count;
  }

  /** The longest context. All grow alike, so only its lead is kept, and looked for from `first` on when its owner leaves. */
  longest(first: number): Tokens {
    if (this.count === 0) return 0;
    if (this.longestLead === Number.NEGATIVE_INFINITY) {
      const { requests } = this;
      for (let r = first; r >= 0; r = requests.runAfter[r] ?? -1) {
        if (requests.phase[r] !== Phase.decoding) continue;
        const lead =
          (requests.traffic.promptTokens[r] ?? 0) +
          (requests.generated[r] ?? 0) -
          (requests.joinPass[r] ?? 0);
        if (lead > this.longestLead) this.longestLead = lead;
      }
    }
    return this.longestLead + this.pass;
  }
}
