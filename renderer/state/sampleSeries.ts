/**
 * One number over time, for drawing: row-interleaved [t ms, value, t ms, value, …], ascending in t, as the chart library
 * takes it. Memory is bounded: a full series is thinned to half, and thinning keeps extremes, so that no spike is lost.
 *
 *   thinning by fours:   t0 5 │ t1 9 │ t2 1 │ t3 4   ─►   t1 9 │ t2 1
 */
export class SampleSeries {
  private data: Float64Array;
  private count = 0;
  private readonly limit: number;
  /** How many samples came, kept or thinned. */
  samples = 0;
  /** Goes up with every change. */
  version = 0;

  constructor(limit = 16_384) {
    this.limit = limit;
    this.data = new Float64Array(512);
  }

  get length(): number {
    return this.count;
  }

  /** A view, valid until the next append. */
  get points(): Float64Array {
    return this.data.subarray(0, this.count * 2);
  }

  timeAt(index: number): number {
    return this.data[index * 2] ?? Number.NaN;
  }

  valueAt(index: number): number {
    return this.data[index * 2 + 1] ?? Number.NaN;
  }

  get last(): number {
    return this.count === 0 ? Number.NaN : this.valueAt(this.count - 1);
  }

  append(timeMs: number, value: number): void {
    if (this.count === this.limit) this.thin();
    if (this.count * 2 === this.data.length) this.grow();
    this.data[this.count * 2] = timeMs;
    this.data[this.count * 2 + 1] = value;
    this.count += 1;
    this.samples += 1;
    this.version += 1;
  }

  /** Replaces everything by stored buckets, row-interleaved [t, last, min, max]; a bucket with spread becomes two points. */
  replaceByBuckets(buckets: Float64Array): void {
    const rows = buckets.length / 4;
    const data = new Float64Array(Math.max(512, rows * 4));
    let count = 0;
    const put = (time: number, value: number) => {
      data[count * 2] = time;
      data[count * 2 + 1] = value;
      count += 1;
    };
    for (let row = 0; row < rows; row += 1) {
      const [time = 0, last = 0, min = 0, max = 0] = buckets.subarray(row * 4, row * 4 + 4);
      if (min === max || Number.isNaN(last)) put(time, last);
      else if (last - min > max - last) {
        put(time, min);
        put(time, max);
      } else {
        put(time, max);
        put(time, min);
      }
    }
    this.data = data;
    this.count = count;
    this.samples = rows;
    this.version += 1;
  }

  /** A copy of the points from..to ms and one on either side, so that a line enters and leaves the picture. */
  within(fromMs: number, toMs: number): Float64Array {
    const start = Math.max(0, this.indexAt(fromMs));
    const end = Math.min(this.count, this.indexAt(toMs) + 2);
    return this.data.slice(start * 2, Math.max(start, end) * 2);
  }

  /** The same points, which later samples leave as they are. */
  copy(): SampleSeries {
    const copy = new SampleSeries(this.limit);
    copy.data = this.data.slice(0, Math.max(2, this.count * 2));
    copy.count = this.count;
    copy.samples = this.samples;
    copy.version = this.version;
    return copy;
  }

  /** Index of the last point at or before this time; -1 before the first. */
  indexAt(timeMs: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.timeAt(middle) <= timeMs) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** The points from..to ms: how many, and their extremes. */
  bucket(fromMs: number, toMs: number): { readonly n: number; readonly min: number; readonly max: number } {
    let n = 0;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (let index = this.indexAt(fromMs) + 1; index < this.count && this.timeAt(index) <= toMs; index += 1) {
      const value = this.valueAt(index);
      if (Number.isNaN(value)) continue;
      n += 1;
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    return { n, min, max };
  }

  private grow(): void {
    const grown = new Float64Array(Math.min(this.data.length * 2, this.limit * 2));
    grown.set(this.data);
    this.data = grown;
  }

  private thin(): void {
    let kept = 0;
    for (let start = 0; start < this.count; start += 4) {
      const end = Math.min(start + 4, this.count);
      let low = start;
      let high = start;
      for (let index = start + 1; index < end; index += 1) {
        const value = this.valueAt(index);
        if (value < this.valueAt(low) || Number.isNaN(this.valueAt(low))) low = index;
        if (value >= this.valueAt(high) || Number.isNaN(this.valueAt(high))) high = index;
      }
      for (const index of low < high ? [low, high] : [high, low]) {
        const time = this.timeAt(index);
        const value = this.valueAt(index);
        this.data[kept * 2] = time;
        this.data[kept * 2 + 1] = value;
        kept += 1;
        if (low === high) break;
      }
    }
    this.count = kept;
  }
}
