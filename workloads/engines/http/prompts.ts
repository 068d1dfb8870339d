import type { Traffic } from '../../traffic/traffic.ts';
import type { Tokens } from '../../units.ts';

/** Token ids that a server takes: [low, high). */
export interface IdRange {
  readonly low: number;
  readonly high: number;
}

/** Ids that ordinary vocabularies have, where the server does not say how large its own is. */
const commonRange: IdRange = { low: 1000, high: 30_000 };

/** Leaves out both ends of the vocabulary, where special tokens lie. */
export const idRangeOf = (vocabulary: number | undefined): IdRange =>
  vocabulary === undefined
    ? commonRange
    : { low: Math.floor(vocabulary * 0.1), high: Math.max(2, Math.floor(vocabulary * 0.95)) };

/** A 32-bit mix of two numbers (murmur3's finaliser). */
function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Calls `token(hash)` for each token of request r's prompt. Equal block ids give equal hashes, so prefixes are as equal on the
 * server as in the traffic; what lies in no block with an id is the request's own. `salt` changes every hash.
 *
 *   traffic     | block 7 | block 9 | rest of r |         block ids 7 9, another request with 7 12 shares the first block
 */
function eachToken(
  traffic: Traffic,
  r: number,
  salt: number,
  token: (hash: number, index: number) => void,
): void {
  const length = traffic.promptTokens[r] ?? 0;
  const from = traffic.blockOffsets[r] ?? 0;
  const blocks = (traffic.blockOffsets[r + 1] ?? 0) - from;
  const size = traffic.blockTokens;
  for (let i = 0; i < length; i++) {
    const block = size > 0 ? Math.floor(i / size) : blocks;
    if (block < blocks) {
      token(mix(mix(salt, traffic.blockIds[from + block] ?? 0), i - block * size), i);
    } else token(mix(mix(salt ^ 0x5bd1e995, r), i), i);
  }
}

/** The prompt as token ids: exactly as long as the traffic says. */
export function promptIds(traffic: Traffic, r: number, salt: number, { low, high }: IdRange): Uint32Array {
  const ids = new Uint32Array(Math.max(1, traffic.promptTokens[r] ?? 0));
  const span = Math.max(1, high - low);
  eachToken(traffic, r, salt, (hash, i) => {
    ids[i] = low + (hash % span);
  });
  if ((traffic.promptTokens[r] ?? 0) === 0) ids[0] = low;
  return ids;
}

/** The ids of whole blocks, as `promptIds` has them. */
export function blockPrompt(
  ids: Int32Array,
  from: number,
  to: number,
  size: Tokens,
  salt: number,
  { low, high }: IdRange,
): Uint32Array {
  const prompt = new Uint32Array((to - from) * size);
  const span = Math.max(1, high - low);
  for (let at = 0; at < prompt.length; at++) {
    const block = Math.floor(at / size);
    prompt[at] = low + (mix(mix(salt, ids[from + block] ?? 0), at - block * size) % span);
  }
  return prompt;
}

/** Common words that most tokenizers know as one token each, with their space. */
const words: readonly string[] =
  'the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part'.split(
    ' ',
  );

/** The prompt as text of about as many tokens; the server's usage says how many they were. */
export function promptText(traffic: Traffic, r: number, salt: number): string {
  const parts: string[] = [];
  eachToken(traffic, r, salt, (hash) => parts.push(words[hash % words.length] ?? 'the'));
  return parts.length === 0 ? 'the' : parts.join(' ');
}

/** Whether a length is off by more than 5 % and more than 50 tokens (AIPerf's rule). */
export const isMismatch = (asked: Tokens, got: Tokens): boolean =>
  Math.abs(got - asked) > Math.max(50, asked * 0.05);
