// Blocks of prompt tokens that a scripted server still holds, least recently used first out, and the events that a vLLM
// or SGLang server would publish about them.

export type KvEvent =
  | {
      readonly kind: 'stored';
      readonly hashes: readonly bigint[];
      readonly parent: bigint | undefined;
      readonly tokens: readonly number[];
      readonly blockTokens: number;
    }
  | { readonly kind: 'removed'; readonly hashes: readonly bigint[] }
  | { readonly kind: 'cleared' };

const mask = (1n << 64n) - 1n;

/** FNV-1a over the parent and the tokens: unsigned 64 bits, most of them above 2^53. */
export function blockHash(parent: bigint | undefined, tokens: readonly number[], salt = 0n): bigint {
  let hash = 0xcbf29ce484222325n ^ salt;
  for (const part of [parent ?? 0n, ...tokens.map(BigInt)]) hash = ((hash ^ part) * 0x100000001b3n) & mask;
  return hash;
}

export class PrefixCache {
  readonly blockTokens: number;
  readonly capacityBlocks: number;
  private readonly onEvent: (event: KvEvent) => void;
  /** In order of last use. */
  private readonly blocks = new Set<bigint>();

  constructor(blockTokens: number, capacityBlocks: number, onEvent: (event: KvEvent) => void) {
    this.blockTokens = blockTokens;
    this.capacityBlocks = capacityBlocks;
    this.onEvent = onEvent;
  }

  get used(): number {
    return this.blocks.size;
  }

  /**
   * Looks up a prompt, then holds its full blocks. Returns how many tokens were there already: never the whole prompt,
   * since the last token is always computed.
   */
  take(tokens: readonly number[], salt: string): number {
    const size = this.blockTokens;
    const base = salt === '' ? 0n : blockHash(undefined, [...Buffer.from(salt)]);
    let parent: bigint | undefined;
    let cached = 0;
    let isHit = true;
    let missingParent: bigint | undefined;
    const missing: bigint[] = [];
    const firstMissing = { at: -1 };
    for (let start = 0; start + size <= tokens.length; start += size) {
      const hash = blockHash(parent, tokens.slice(start, start + size), base);
      isHit = isHit && this.blocks.has(hash);
      if (isHit) cached += size;
      else {
        if (firstMissing.at < 0) {
          firstMissing.at = start;
          missingParent = parent;
        }
        missing.push(hash);
      }
      this.blocks.delete(hash);
      this.blocks.add(hash);
      parent = hash;
    }
    if (missing.length > 0)
      this.onEvent({
        kind: 'stored',
        hashes: missing,
        parent: missingParent,
        tokens: tokens.slice(firstMissing.at, firstMissing.at + missing.length * size),
        blockTokens: size,
      });
    this.evict();
    return Math.min(cached, Math.max(0, tokens.length - 1));
  }

  clear(): void {
    this.blocks.clear();
    this.onEvent({ kind: 'cleared' });
  }

  private evict(): void {
    const removed: bigint[] = [];
    for (const hash of this.blocks) {
      if (this.blocks.size <= this.capacityBlocks) break;
      this.blocks.delete(hash);
      removed.push(hash);
    }
    if (removed.length > 0) this.onEvent({ kind: 'removed', hashes: removed });
  }
}
