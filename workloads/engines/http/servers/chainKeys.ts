import type { Tokens } from '../../../units.ts';

/**
 * Names of the full blocks of a prompt: the key of block b is a hash of all tokens up to its end, so equal keys mean an
 * equal prefix. 53 bits in a float64: two different prefixes among a million meet with a chance of about 6e-5.
 * Servers hash in ways of their own (seed, algorithm, extra keys); these keys are ours and are never compared with theirs.
 */
export function chainKeys(tokens: ArrayLike<number>, blockTokens: Tokens): Float64Array {
  const blocks = Math.floor(tokens.length / blockTokens);
  const keys = new Float64Array(blocks);
  let key = rootKey;
  for (let b = 0; b < blocks; b++) {
    key = chainKey(key, tokens, b * blockTokens, (b + 1) * blockTokens);
    keys[b] = key;
  }
  return keys;
}

/** Key of "no block yet". */
export const rootKey = 0;

/** Key of the block tokens[from .. to) behind the block of key `parent`. */
export function chainKey(parent: number, tokens: ArrayLike<number>, from: number, to: number): number {
  let high = mix(Math.floor(parent / 2 ** 32) ^ 0x9e3779b9);
  let low = mix((parent % 2 ** 32) ^ 0x85ebca6b);
  for (let i = from; i < to; i++) {
    const token = tokens[i] ?? 0;
    high = mix(Math.imul(high, 31) ^ token);
    low = mix(Math.imul(low, 37) + token + 1);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

const mix = (h: number): number => {
  let x = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) | 0;
};
