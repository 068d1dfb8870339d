import type { Distribution } from '../run/summary.ts';
import { between } from './percentile.ts';

/**
 * A histogram with logarithmic buckets (after DDSketch, Masson et al. 2019), for more values than one wants to keep.
 *
 * The bucket of a value is the upper half of its own bits, shifted: sign and exponent, and the first seven bits of the
 * mantissa, so each octave has 128 buckets and no logarithm is taken.
 *
 *   1.0        1.0078      1.0156            1.9922       2.0
 *    ├──────────┼───────────┼──── … ──────────┼────────────┤   then the same again, twice as wide
 *
 * A bucket (l, u) is reported as 2lu/(l + u), which is wrong by at most (u − l)/(u + l) ≤ 1/257 of the value.
 * Values are ≥ 0 (0 has its own count); n, mean, min and max are exact.
 */
export const sketchRelativeError = 1 / 257;

const mantissaShift = 13;
const f64 = new Float64Array(1);
const u32 = new Uint32Array(f64.buffer);
// Which half of the double holds the exponent depends on the machine's byte order.
f64[0] = 1;
const high = u32[1] === 0x3ff00000 ? 1 : 0;
const low = 1 - high;

function bucketOf(value: number): number {
  f64[0] = value;
  return (u32[high] ?? 0) >>> mantissaShift;
}

function representative(bucket: number): number {
  u32[low] = 0;
  u32[high] = bucket << mantissaShift;
  const lower = f64[0] ?? 0;
  u32[high] = (bucket + 1) << mantissaShift;
  const upper = f64[0] ?? 0;
  return ((2 * lower) / (lower + upper)) * upper;
}

export class Sketch {
  #counts = new Float64Array(0);
  /** Bucket of #counts[0]. */
  #first = 0;
  #zeros = 0;
  #n = 0;
  #sum = 0;
  #lost = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  get n(): number {
    return this.#n;
  }
  get sum(): number {
    return this.#sum + this.#lost;
  }
  get mean(): number {
    return this.#n === 0 ? Number.NaN : this.sum / this.#n;
  }
  get min(): number {
    return this.#n === 0 ? Number.NaN : this.#min;
  }
  get max(): number {
    return this.#n === 0 ? Number.NaN : this.#max;
  }

  /** Adds `count` equal values. NaN is absent and adds nothing; a negative or infinite value is a mistake in the program. */
  add(value: number, count = 1): void {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY && count > 0)) {
      if (Number.isNaN(value) || count === 0) return;
      throw new RangeError(`a sketch takes finite values ≥ 0 and counts ≥ 0, not ${value} × ${count}`);
    }
    if (value === 0) this.#zeros += count;
    else {
      const at = bucketOf(value) - this.#first;
      if (at >= 0 && at < this.#counts.length) this.#counts[at] = (this.#counts[at] ?? 0) + count;
      else this.#addOutside(at + this.#first, count);
    }
    this.#n += count;
    const term = value * count;
    const next = this.#sum + term;
    this.#lost += this.#sum >= term ? this.#sum - next + term : term - next + this.#sum;
    this.#sum = next;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  #addOutside(bucket: number, count: number): void {
    this.#reach(bucket, bucket);
    const at = bucket - this.#first;
    this.#counts[at] = (this.#counts[at] ?? 0) + count;
  }

  /** Widens the buckets to hold first..last, with room to spare on the side that grew. */
  #reach(first: number, last: number): void {
    const length = this.#counts.length;
    const spare = 64;
    const from =
      length === 0 ? first - spare : Math.min(this.#first, first < this.#first ? first - spare : first);
    const oldEnd = this.#first + length;
    const to = length === 0 ? last + spare : Math.max(oldEnd, last >= oldEnd ? last + spare : 0);
    if (length > 0 && from === this.#first && to === oldEnd) return;
    const wider = new Float64Array(to - from + 1);
    if (length > 0) wider.set(this.#counts, this.#first - from);
    this.#counts = wider;
    this.#first = from;
  }

  merge(other: Sketch): void {
    if (other.#n === 0) return;
    const counts = other.#counts;
    if (counts.length > 0) {
      this.#reach(other.#first, other.#first + counts.length - 1);
      const shift = other.#first - this.#first;
      for (let i = 0; i < counts.length; i++) {
        const count = counts[i] ?? 0;
        if (count !== 0) this.#counts[i + shift] = (this.#counts[i + shift] ?? 0) + count;
      }
    }
    this.#zeros += other.#zeros;
    this.#n += other.#n;
    this.#sum += other.#sum;
    this.#lost += other.#lost;
    if (other.#min < this.#min) this.#min = other.#min;
    if (other.#max > this.#max) this.#max = other.#max;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#zeros = 0;
    this.#n = 0;
    this.#sum = 0;
    this.#lost = 0;
    this.#min = Number.POSITIVE_INFINITY;
    this.#max = Number.NEGATIVE_INFINITY;
  }

  /** Quantile 0..1 by the same rank rule as the exact percentiles; NaN for no values. */
  quantile(q: number): number {
    return this.quantiles([q])[0] ?? Number.NaN;
  }

  /** Quantiles for ascending `qs`, in one pass over the buckets. */
  quantiles(qs: readonly number[]): number[] {
    if (this.#n === 0) return qs.map(() => Number.NaN);
    let at = -1;
    let seen = this.#zeros;
    let value = this.#zeros > 0 ? 0 : this.#min;
    // The value of the order statistic at an integer rank; ranks must not descend.
    const valueAt = (rank: number): number => {
      if (rank <= 0) return this.#min;
      if (rank >= this.#n - 1) return this.#max;
      while (seen <= rank && at + 1 < this.#counts.length) {
        at++;
        const count = this.#counts[at] ?? 0;
        if (count === 0) continue;
        seen += count;
        value = representative(at + this.#first);
      }
      return Math.min(this.#max, Math.max(this.#min, value));
    };
    return qs.map((q) => {
      const rank = (this.#n - 1) * Math.min(1, Math.max(0, q));
      const below = Math.floor(rank);
      const lower = valueAt(below);
      // The upper neighbour is looked up without moving on: the next quantile may still lie in the lower one's bucket.
      const saved = { at, seen, value };
      const upper = below === rank ? lower : valueAt(below + 1);
      at = saved.at;
      seen = saved.seen;
      value = saved.value;
      return between(lower, upper, rank - below);
    });
  }

  /** undefined where nothing was added. */
  distribution(): Distribution | undefined {
    if (this.#n === 0) return undefined;
    const [p50 = Number.NaN, p90 = Number.NaN, p95 = Number.NaN, p99 = Number.NaN] = this.quantiles([
      0.5, 0.9, 0.95, 0.99,
    ]);
    return {
      n: this.#n,
      mean: this.mean,
      min: this.#min,
      p50,
      p90,
      p95,
      p99,
      max: this.#max,
      relative_error: sketchRelativeError,
    };
  }
}
