import { between } from '../metrics/percentile.ts';
import type { Tokens } from '../units.ts';

/** Lengths below this are counted one by one, longer ones to 0.1 %. */
const exactBelow = 1 << 20;
const stepsPerOctave = 1024;

/** How often each length occurs: quantiles of any number of lengths in at most 9 MB. */
export class LengthHistogram {
  sum = 0;
  private n = 0;
  private min = Number.POSITIVE_INFINITY;
  private max = Number.NEGATIVE_INFINITY;
  private counts = new Float64Array(1024);
  private readonly long = new Map<Tokens, number>();

  add(length: Tokens): void {
    this.n++;
    this.sum += length;
    if (length < this.min) this.min = length;
    if (length > this.max) this.max = length;
    if (length >= exactBelow) {
      const step = 2 ** Math.floor(Math.log2(length)) / stepsPerOctave;
      const rounded = Math.round(length / step) * step;
      this.long.set(rounded, (this.long.get(rounded) ?? 0) + 1);
      return;
    }
    if (length >= this.counts.length) {
      const grown = new Float64Array(Math.max(this.counts.length * 2, 2 ** Math.ceil(Math.log2(length + 1))));
      grown.set(this.counts);
      this.counts = grown;
    }
    this.counts[length] = (this.counts[length] ?? 0) + 1;
  }

  /** Quantiles at 0, 1/steps, … 1 by linear interpolation (numpy's default); empty where nothing was added. */
  quantiles(steps: number): number[] {
    if (this.n === 0) return [];
    const lengths = this.ascending();
    let length = this.min;
    /** Lengths up to and including `length`. */
    let upTo = 0;
    const seek = (rank: number): Tokens => {
      if (rank === 0) return this.min;
      if (rank === this.n - 1) return this.max;
      while (upTo <= rank) {
        const next = lengths.next();
        if (next.done === true) break;
        [length] = next.value;
        upTo += next.value[1];
      }
      return length;
    };
    const ranks = Array.from({ length: steps + 1 }, (_, i) => ((this.n - 1) * i) / steps);
    const needed = [...new Set(ranks.flatMap((rank) => [Math.floor(rank), Math.ceil(rank)]))].sort(
      (a, b) => a - b,
    );
    const at = new Map(needed.map((rank) => [rank, seek(rank)]));
    return ranks.map((rank) => {
      const below = Math.floor(rank);
      return between(at.get(below) ?? 0, at.get(Math.ceil(rank)) ?? 0, rank - below);
    });
  }

  private *ascending(): Generator<readonly [Tokens, number]> {
    for (let length = 0; length < this.counts.length; length++) {
      const count = this.counts[length] ?? 0;
      if (count > 0) yield [length, count];
    }
    yield* [...this.long].sort(([a], [b]) => a - b);
  }
}
