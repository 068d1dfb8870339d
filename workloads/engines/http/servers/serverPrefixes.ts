import type { Blocks, Tokens } from '../../../units.ts';
import { chainKeys } from './chainKeys.ts';
import { EventPrefixes } from './eventPrefixes.ts';
import type { KvBatch } from './kvEvents.ts';
import { type Misprediction, Mispredictions } from './mispredictions.ts';
import { SentPrefixes } from './sentPrefixes.ts';

/** Where a prediction comes from: the server's own KV events, or what was sent there. */
export type PrefixSource = 'events' | 'sent';

/**
 * The prefix index of one server. KV events win where they come; without them, or after they broke off, it falls back to
 * the tree of what was sent. Both are kept all the time, so that switching loses nothing.
 */
export class ServerPrefixes {
  private readonly sentTree: SentPrefixes;
  private readonly events = new EventPrefixes();
  private readonly errors = new Mispredictions();
  private readonly assumedBlock: Tokens;
  private isLive = false;

  /** `blockTokens` is used until events name the server's own; `capacity` in such blocks, Infinity where unknown. */
  constructor(options: { readonly blockTokens: Tokens; readonly capacity: Blocks }) {
    this.assumedBlock = options.blockTokens;
    this.sentTree = new SentPrefixes(options.capacity);
  }

  get source(): PrefixSource {
    return this.isLive && this.events.blockTokens > 0 ? 'events' : 'sent';
  }

  get misprediction(): Misprediction {
    return this.errors.value;
  }

  /** Blocks that it believes the server to hold. */
  get blocks(): Blocks {
    return this.source === 'events' ? this.events.size : this.sentTree.size;
  }

  get orphans(): Blocks {
    return this.events.orphans;
  }

  /** The server's capacity became known: num_gpu_blocks × block_size, or llama.cpp's context × slots, in tokens. */
  setCapacity(tokens: Tokens): void {
    this.sentTree.capacity = Math.max(1, Math.floor(tokens / this.assumedBlock));
  }

  /**
   * Cached tokens to expect for a prompt: never all of it, since a server computes the last token anew. A prompt that stands
   * for a text (`isText`) is compared with what was sent only: the server's events speak of its own token ids.
   */
  predict(prompt: ArrayLike<number>, isText = false): Tokens {
    const tokens =
      this.source === 'events' && !isText
        ? this.events.match(chainKeys(prompt, this.events.blockTokens)) * this.events.blockTokens
        : this.sentTree.match(chainKeys(prompt, this.assumedBlock)) * this.assumedBlock;
    return Math.min(tokens, Math.max(0, prompt.length - 1));
  }

  sent(prompt: ArrayLike<number>): void {
    this.sentTree.sent(chainKeys(prompt, this.assumedBlock));
  }

  /** An answer came. `cached` as the server reported it; absent where it does not tell: then nothing is learned. */
  answered(prompt: ArrayLike<number>, predicted: Tokens, cached: Tokens | undefined): void {
    if (cached === undefined || Number.isNaN(cached)) return;
    const block = this.source === 'events' ? this.events.blockTokens : this.assumedBlock;
    this.errors.add(predicted, cached, block);
    const keys = chainKeys(prompt, this.assumedBlock);
    // All but the last token found is as good as all: the rest of its block was there too.
    const found = cached >= prompt.length - 1 ? keys.length : Math.floor(cached / this.assumedBlock);
    if (found < Math.floor(predicted / this.assumedBlock)) this.sentTree.answered(keys, found);
  }

  /** A batch of KV events, in order and without a gap. */
  batch(batch: KvBatch): void {
    this.isLive = true;
    for (const event of batch.events) this.events.apply(event);
  }

  /** The events broke off, or some are lost for good: what they told is no longer trusted. */
  eventsLost(): void {
    this.isLive = false;
    this.events.clear();
  }

  /** The server flushed its cache, or was restarted. */
  clear(): void {
    this.sentTree.clear();
    this.events.clear();
  }
}
