import type { Tokens } from '../units.ts';

/** Prompts in the batch, in order of admission, and their share of the pass in progress. */
export class PromptBatch {
  length = 0;
  private request = new Int32Array(8);
  private chunk = new Int32Array(8);

  push(r: number, tokens: Tokens): void {
    if (this.length === this.request.length) {
      this.request = doubled(this.request);
      this.chunk = doubled(this.chunk);
    }
    this.request[this.length] = r;
    this.chunk[this.length] = tokens;
    this.length++;
  }

  at(i: number): number {
    return this.request[i] ?? -1;
  }
  tokensAt(i: number): Tokens {
    return this.chunk[i] ?? 0;
  }
  setTokens(i: number, tokens: Tokens): void {
    this.chunk[i] = tokens;
  }

  /** The first `count` prompts are computed. */
  dropFirst(count: number): void {
    this.request.copyWithin(0, count, this.length);
    this.chunk.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** A prompt that is given up. The latest is at the end; others are rare and looked for. */
  remove(r: number): void {
    let at = this.length - 1;
    while (at >= 0 && this.request[at] !== r) at--;
    if (at < 0) return;
    this.request.copyWithin(at, at + 1, this.length);
    this.chunk.copyWithin(at, at + 1, this.length);
    this.length--;
  }
}

function doubled(old: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(old.length * 2);
  larger.set(old);
  return larger;
}
