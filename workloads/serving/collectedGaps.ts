import type { Ns } from '../units.ts';

/** Gaps of one request and how often each occurs; one for all instances, filled and used at once. */
export class CollectedGaps {
  length = 0;
  gaps = new Float64Array(64);
  counts = new Float64Array(64);

  reserve(entries: number): void {
    while (this.gaps.length < entries) {
      this.gaps = larger(this.gaps);
      this.counts = larger(this.counts);
    }
  }

  push(gap: Ns, count: number): void {
    this.gaps[this.length] = gap;
    this.counts[this.length++] = count;
  }
}

/**
 * Mean of the `wanted` largest of values that occur `counts` times each; missing ones are 0 (tokens that come together).
 * Quickselect by weight, in place: O(n).
 */
export function meanOfLongest(values: Float64Array, counts: Float64Array, n: number, wanted: number): number {
  let low = 0;
  let high = n;
  let left = wanted;
  let sum = 0;
  while (low < high && left > 0) {
    const pivot = values[(low + high) >> 1] ?? 0;
    // [low, above) > pivot, [above, at) = pivot, [below, high) < pivot
    let above = low;
    let below = high;
    let weightAbove = 0;
    let sumAbove = 0;
    let weightEqual = 0;
    for (let at = low; at < below; ) {
      const value = values[at] ?? 0;
      const count = counts[at] ?? 0;
      if (value > pivot) {
        weightAbove += count;
        sumAbove += value * count;
        swap(values, counts, at++, above++);
      } else if (value < pivot) swap(values, counts, at, --below);
      else {
        weightEqual += count;
        at++;
      }
    }
    if (weightAbove >= left) {
      high = above;
      continue;
    }
    sum += sumAbove;
    left -= weightAbove;
    const taken = Math.min(left, weightEqual);
    sum += taken * pivot;
    left -= taken;
    low = below;
  }
  return sum / wanted;
}

function swap(values: Float64Array, counts: Float64Array, a: number, b: number): void {
  const value = values[a] ?? 0;
  const count = counts[a] ?? 0;
  values[a] = values[b] ?? 0;
  counts[a] = counts[b] ?? 0;
  values[b] = value;
  counts[b] = count;
}

function larger(old: Float64Array): Float64Array<ArrayBuffer> {
  const column = new Float64Array(old.length * 2);
  column.set(old);
  return column;
}
