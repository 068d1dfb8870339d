import type { Blocks, Tokens } from '../../../units.ts';
import { chainKey, rootKey } from './chainKeys.ts';
import type { KvEvent, KvScope } from './kvEvents.ts';

/**
 * What one server's prefix cache holds by its own KV events. Its hashes are opaque: each is translated into a key of ours
 * through the tokens of the event and the key of its parent. A block whose parent is unknown cannot be placed: it is
 * counted, and a replay is due.
 */
export class EventPrefixes {
  private readonly keyOf = new Map<bigint, number>();
  /** How many of the server's blocks have this key: data-parallel ranks and tiers may hold one twice. */
  private readonly held = new Map<number, number>();
  private block: Tokens = 0;
  /** Blocks whose parent was not known. */
  orphans = 0;
  stored = 0;
  removed = 0;

  /** Tokens per block as the events say; 0 before the first. */
  get blockTokens(): Tokens {
    return this.block;
  }

  get size(): Blocks {
    return this.held.size;
  }

  apply(event: KvEvent): void {
    switch (event.kind) {
      case 'stored':
        if (counts(event.scope)) this.store(event);
        return;
      case 'removed':
        if (counts(event.scope)) for (const hash of event.hashes) this.remove(hash);
        return;
      case 'cleared':
        this.clear();
        return;
      default: {
        const never: never = event;
        throw new RangeError(String(never));
      }
    }
  }

  /** Leading blocks of the prompt that are there. */
  match(keys: ArrayLike<number>): Blocks {
    let blocks = 0;
    while (blocks < keys.length && this.held.has(keys[blocks] ?? rootKey)) blocks++;
    return blocks;
  }

  clear(): void {
    this.keyOf.clear();
    this.held.clear();
  }

  private store(event: Extract<KvEvent, { kind: 'stored' }>): void {
    let key: number | undefined = event.parent === undefined ? rootKey : this.keyOf.get(event.parent);
    if (key === undefined) {
      this.orphans += event.hashes.length;
      return;
    }
    this.block = event.blockTokens;
    let from = 0;
    for (const hash of event.hashes) {
      const to = from + event.blockTokens;
      if (to > event.tokens.length) break;
      key = chainKey(key, event.tokens, from, to);
      from = to;
      this.stored += 1;
      if (this.keyOf.has(hash)) continue;
      this.keyOf.set(hash, key);
      this.held.set(key, (this.held.get(key) ?? 0) + 1);
    }
  }

  private remove(hash: bigint): void {
    const key = this.keyOf.get(hash);
    if (key === undefined) return;
    this.keyOf.delete(hash);
    this.removed += 1;
    const count = this.held.get(key) ?? 0;
    if (count > 1) this.held.set(key, count - 1);
    else this.held.delete(key);
  }
}

/** Blocks on the GPU, of full attention: a prefix hit needs nothing else and is worth nothing without them. */
const counts = ({ medium, group, attention }: KvScope): boolean =>
  (medium === undefined || medium.toUpperCase() === 'GPU') &&
  (attention === undefined ? group === undefined || group === 0 : attention.includes('full'));
