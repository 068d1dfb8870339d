import type { Bytes, Flop, Tokens } from '../units.ts';
import { attentionFlopsPerPair, kvBytesPerToken, kvLayers, type ModelShape } from './shape.ts';

/**
 * Attention of models whose layers do not all see the whole context. Layers of three kinds:
 *
 *     full      context n: n tokens of KV read per decoded token, one (query, key) pair each
 *     window W  min(n, W) tokens and pairs                      (gpt-oss: every other layer, W 128; Gemma 3: five of six)
 *     linear    none: a state of fixed size is read and written  (Qwen3-Next: three of four)
 *
 *     gpt-oss-120b at 131,072 tokens: 18 × 131,072 + 18 × 128 of 36 × 131,072 (layer, token) pairs of KV
 */

/** Shares of the KV layers: those that see everything, and those with a window of `tokens`. */
export interface AttentionShares {
  readonly full: number;
  readonly window: number;
  /** Infinity where no layer has a window. */
  readonly tokens: Tokens;
}

export function attentionShares(m: ModelShape): AttentionShares {
  if (m.windows === undefined || m.windows.layers === 0) return { full: 1, window: 0, tokens: Infinity };
  const window = m.windows.layers / kvLayers(m);
  return { full: 1 - window, window, tokens: m.windows.tokens };
}

/**
 * (query, key) pairs of causal attention of `tokens` new tokens of one prompt after `cached` earlier ones, each seeing the last
 * `window` tokens at most, itself included. Infinity: tokens × cached + tokens × (tokens + 1) ÷ 2.
 */
export function causalPairs(tokens: Tokens, cached: Tokens, window = Infinity): number {
  // The first tokens still see everything; the others see `window` each.
  const growing = Math.max(0, Math.min(tokens, window - cached));
  const grown = growing === 0 ? 0 : growing * cached + (growing * (growing + 1)) / 2;
  return growing === tokens ? grown : grown + (tokens - growing) * window;
}

/** Pairs and KV tokens that count over all KV layers as one: full layers' and windows' by their share. */
export class WindowedAttention {
  private readonly shares: AttentionShares;
  /** No layer has a window: every function returns what it was given. */
  readonly isPlain: boolean;

  constructor(model: ModelShape) {
    this.shares = attentionShares(model);
    this.isPlain = this.shares.window === 0;
  }

  /** Decoding sequences with `context` tokens between them, taken as alike: their mean decides how much a window cuts off. */
  decodeTokens(sequences: number, context: Tokens): number {
    if (this.isPlain) return context;
    const { full, window, tokens } = this.shares;
    return full * context + window * Math.min(context, sequences * tokens);
  }

  /** Prompt tokens of a pass with so many unwindowed pairs, taken as one chunk; several short prompts: at most `window` each. */
  promptPairs(promptTokens: Tokens, pairs: number): number {
    if (this.isPlain || promptTokens === 0) return pairs;
    const { full, window, tokens } = this.shares;
    const cached = pairs / promptTokens - (promptTokens + 1) / 2;
    const within =
      cached < 0 ? Math.min(pairs, promptTokens * tokens) : causalPairs(promptTokens, cached, tokens);
    return full * pairs + window * within;
  }

  /** KV tokens that the chunks read: `context` with themselves. */
  promptContext(promptTokens: Tokens, context: Tokens, chunks = 1): number {
    if (this.isPlain) return context;
    const { full, window, tokens } = this.shares;
    return full * context + window * Math.min(context, promptTokens + Math.max(1, chunks) * tokens);
  }
}

/** KV bytes that one sequence of `context` tokens needs: windows keep no more than their tokens, linear layers their state. */
export function kvBytesAt(m: ModelShape, context: Tokens): Bytes {
  return new WindowedAttention(m).decodeTokens(1, context) * kvBytesPerToken(m) + stateBytesPerSequence(m);
}

/** FLOPs of attention of one decoded token at `context` tokens. */
export const decodeAttentionFlops = (m: ModelShape, context: Tokens): Flop =>
  new WindowedAttention(m).decodeTokens(1, context) * attentionFlopsPerPair(m);

/** States of the linear layers of one sequence, FP32. */
export const stateBytesPerSequence = (m: ModelShape): Bytes =>
  m.linear === undefined ? 0 : m.linear.layers * m.linear.stateValues * 4;

/** FLOPs of the linear layers' recurrence per token: decay, read, correct, update and query the state: about 2 × 4 per value. */
export const recurrenceFlopsPerToken = (m: ModelShape): Flop =>
  m.linear === undefined ? 0 : 8 * m.linear.layers * m.linear.stateValues;
