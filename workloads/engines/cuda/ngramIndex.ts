import type { Tokens } from '../../units.ts';

/** Longest and shortest run of last tokens that is looked for earlier in the text. */
const longest = 3;
const shortest = 2;

/**
 * Finds what followed the last tokens of a text when they stood there before (prompt lookup decoding; vLLM's `ngram` drafts). Holds for
 * each run of 3 and of 2 tokens the place behind its latest occurrence:
 *
 *   7 1 2 3 9 4 1 2 3     the last three stood at 1..3: drafts are 9 4 1 …
 */
export class NgramIndex {
  private tokens = new Int32Array(256);
  private length = 0;
  private readonly vocabulary: number;
  /** By size of the run; keys are exact as doubles up to vocabularies of 200,000. */
  private readonly places = new Map<number, Map<number, number>>();

  constructor(vocabulary: number) {
    this.vocabulary = vocabulary;
    for (let n = shortest; n <= longest; n++) this.places.set(n, new Map());
  }

  get size(): Tokens {
    return this.length;
  }

  append(token: number): void {
    if (this.length === this.tokens.length) {
      const larger = new Int32Array(this.tokens.length * 2);
      larger.set(this.tokens);
      this.tokens = larger;
    }
    // The run that ends before this token is followed by it.
    for (const [n, places] of this.places) if (this.length >= n) places.set(this.key(n), this.length);
    this.tokens[this.length++] = token;
  }

  /** Writes `most` drafted tokens into `into` at `at`, none where the last tokens are new; how many. */
  draft(most: Tokens, into: Int32Array, at: number): Tokens {
    for (let n = longest; n >= shortest; n--) {
      if (this.length < n) continue;
      const place = this.places.get(n)?.get(this.key(n));
      if (place === undefined) continue;
      // A text that runs in a circle goes on with what was just drafted.
      const known = this.length - place;
      for (let i = 0; i < most; i++)
        into[at + i] = i < known ? (this.tokens[place + i] ?? 0) : (into[at + i - known] ?? 0);
      return most;
    }
    return 0;
  }

  /** The last n tokens as one number. */
  private key(n: number): number {
    let key = 0;
    for (let i = this.length - n; i < this.length; i++) key = key * this.vocabulary + (this.tokens[i] ?? 0);
    return key;
  }
}
