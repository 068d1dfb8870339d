import type { Tokens } from '../units.ts';
import type { Traffic } from './traffic.ts';

/**
 * Token ids of the prompts of a traffic, which knows only how long they are and which blocks they share. Token p of a block is drawn
 * from (seed, block id, p) alone, so equal block ids are equal tokens, in every run and on every engine; tokens beyond the known blocks
 * are drawn from (seed, request, p). Ids lie in 0 .. vocabulary − 1.
 */
export class PromptTokens {
  private readonly traffic: Traffic;
  private readonly vocabulary: number;
  private readonly blockKey: number;
  private readonly ownKey: number;

  constructor(traffic: Traffic, vocabulary: number, seed: number) {
    this.traffic = traffic;
    this.vocabulary = vocabulary;
    this.blockKey = mixed(seed ^ 0x9e3779b9);
    this.ownKey = mixed(this.blockKey ^ 0x85ebca6b);
  }

  /** Writes tokens from .. from + count − 1 of request r's prompt into `into` at `at`. */
  write(r: number, from: Tokens, count: Tokens, into: Int32Array, at: number): void {
    const { blockTokens, blockOffsets, blockIds } = this.traffic;
    const first = blockOffsets[r] ?? 0;
    const known = blockTokens === 0 ? 0 : ((blockOffsets[r + 1] ?? 0) - first) * blockTokens;
    for (let i = 0; i < count; i++) {
      const position = from + i;
      into[at + i] =
        position < known
          ? this.draw(
              this.blockKey,
              blockIds[first + Math.floor(position / blockTokens)] ?? 0,
              position % blockTokens,
            )
          : this.draw(this.ownKey, r, position);
    }
  }

  /** All of request r's prompt. */
  of(r: number): Int32Array {
    const count = this.traffic.promptTokens[r] ?? 0;
    const tokens = new Int32Array(count);
    this.write(r, 0, count, tokens, 0);
    return tokens;
  }

  private draw(key: number, a: number, b: number): number {
    const h = mixed(mixed(key ^ Math.imul(a + 1, 0x9e3779b1)) ^ Math.imul(b + 1, 0xc2b2ae35));
    // The high bits of a product: even over any vocabulary, without a division.
    return Math.floor((h / 4294967296) * this.vocabulary);
  }
}

function mixed(x: number): number {
  let h = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

/** Common English words that byte-pair tokenisers of current models keep as one token each, with the space before them. */
export const oneTokenWords: readonly string[] = (
  'the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you ' +
  'were all her she there would their we him been has when who will no more if out so up said what its about than into ' +
  'them can only other time new some could these two may first then do any like my now over such our man me even most ' +
  'made after also did many before must through back years where much your way well down should because each just those ' +
  'people how too little state good very make world still own see men work long here get both between life being under ' +
  'never day same another know while last might us great old year off come since against go came right used take three ' +
  'small few house use during without again place around home found thought went say part once general high upon school ' +
  'every does got united left number course war until always away something fact though water less public put think ' +
  'almost hand enough far took head yet government system better set told nothing night end why called going look find'
).split(' ');

/** A prompt as text, about one token per word: for engines that are asked over an API. Equal tokens are equal words. */
export function promptText(tokens: ArrayLike<number>): string {
  const words = Array.from(tokens, (token) => oneTokenWords[token % oneTokenWords.length] ?? '');
  return words.join(' ');
}
