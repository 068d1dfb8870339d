import type { Ns } from '../units.ts';

/** Arrivals are kept one by one up to so many, then counted in fine bins. */
const mostExact = 65_536;
const fineBins = 1 << 18;

/**
 * Arrivals over a span that is known only at the end. Beyond 65,536 of them a time counts in one of 2^18 bins, whose width
 * doubles as the span grows: an arrival may then be taken for one up to 1/2^17 of the span away.
 */
export class ArrivalBins {
  first: Ns = Number.POSITIVE_INFINITY;
  last: Ns = Number.NEGATIVE_INFINITY;
  private exact: Ns[] | undefined = [];
  private fine = new Float64Array(0);
  private origin: Ns = 0;
  private width: Ns = 1;

  add(time: Ns): void {
    if (time < this.first) this.first = time;
    if (time > this.last) this.last = time;
    if (this.exact === undefined) {
      this.put(time);
      return;
    }
    this.exact.push(time);
    if (this.exact.length > mostExact) this.spill(this.exact);
  }

  /** Arrivals in equal bins between the first and the last; traffic that arrives all at once counts as one second of it. */
  counts(bins: number): number[] {
    const counts = new Array<number>(bins).fill(0);
    const span = this.last > this.first ? this.last - this.first : 1e9;
    const count = (time: Ns, n: number): void => {
      const bin = Math.max(0, Math.min(bins - 1, Math.floor(((time - this.first) / span) * bins)));
      counts[bin] = (counts[bin] ?? 0) + n;
    };
    for (const time of this.exact ?? []) count(time, 1);
    this.fine.forEach((n, i) => {
      if (n > 0) count(this.origin + (i + 0.5) * this.width, n);
    });
    return counts;
  }

  private spill(times: readonly Ns[]): void {
    this.exact = undefined;
    this.fine = new Float64Array(fineBins);
    this.origin = this.first;
    this.width = Math.max(1, ((this.last - this.first) / fineBins) * 2);
    for (const time of times) this.put(time);
  }

  private put(time: Ns): void {
    while (time < this.origin || time >= this.origin + this.width * fineBins) this.widen(time < this.origin);
    const bin = Math.floor((time - this.origin) / this.width);
    this.fine[bin] = (this.fine[bin] ?? 0) + 1;
  }

  /** Twice the span, to the left or to the right: two bins become one. */
  private widen(isLeft: boolean): void {
    const wide = new Float64Array(fineBins);
    const start = isLeft ? fineBins / 2 : 0;
    for (let i = 0; i < fineBins; i += 2) wide[start + i / 2] = (this.fine[i] ?? 0) + (this.fine[i + 1] ?? 0);
    if (isLeft) this.origin -= this.width * fineBins;
    this.fine = wide;
    this.width *= 2;
  }
}
