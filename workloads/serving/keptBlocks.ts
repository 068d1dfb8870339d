import type { Blocks, Tokens } from '../units.ts';
import type { KvPool } from './kvPool.ts';

/**
 * What preempted requests may find again of their KV cache. Blocks are taken in the order in which they were given back, and
 * a request gives back its last block first: so it is enough to know how many blocks may be taken in all before the first
 * of its own is gone.
 */
export class KeptBlocks {
  private readonly kept = new Map<number, { readonly until: Blocks; readonly tokens: Tokens }>();

  /** The request is about to give back `blocks` blocks with `tokens` computed tokens in them. */
  keep(r: number, pool: KvPool, blocks: Blocks, tokens: Tokens): void {
    this.kept.set(r, { until: pool.taken + pool.free + blocks, tokens });
  }

  /** Nothing of it is there any more. */
  clear(): void {
    this.kept.clear();
  }

  /** How many leading blocks no other request has taken since; asked once, when the request is admitted again with `need` tokens. */
  take(r: number, pool: KvPool, need: Tokens, blockTokens: Tokens): Blocks {
    const kept = this.kept.get(r);
    if (kept === undefined) return 0;
    this.kept.delete(r);
    const whole = Math.floor(Math.min(kept.tokens, need - 1) / blockTokens);
    return Math.max(0, Math.min(whole, kept.until - pool.taken));
  }
}
