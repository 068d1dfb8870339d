/** A column of numbers whose length is not known beforehand; doubles when full. */
export class GrowingColumn {
  private values = new Float64Array(256);
  private used = 0;

  get length(): number {
    return this.used;
  }

  push(value: number): void {
    if (this.used === this.values.length) {
      const larger = new Float64Array(this.used * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.used] = value;
    this.used += 1;
  }

  finish(): Float64Array {
    return this.values.slice(0, this.used);
  }
}

/** Rows in a new order: `order[i]` is the old index of row i. */
export function reordered(column: Float64Array, order: Uint32Array): Float64Array {
  const out = new Float64Array(column.length);
  for (let i = 0; i < order.length; i += 1) out[i] = column[order[i] ?? 0] ?? Number.NaN;
  return out;
}

/** Row numbers sorted by `first`, then by `second` (descending where `secondDescending`), then as they were. */
export function sortedOrder(
  first: Float64Array,
  second: Float64Array,
  secondDescending = false,
): Uint32Array {
  const order = new Uint32Array(first.length);
  let sorted = true;
  for (let i = 0; i < order.length; i += 1) {
    order[i] = i;
    if (i > 0 && !((first[i - 1] ?? 0) < (first[i] ?? 0))) sorted = false;
  }
  if (sorted) return order;
  const sign = secondDescending ? -1 : 1;
  return order.sort(
    (a, b) => (first[a] ?? 0) - (first[b] ?? 0) || sign * ((second[a] ?? 0) - (second[b] ?? 0)) || a - b,
  );
}

/** All columns in order of the first (start), then the second (end). */
export function sortedColumns(columns: readonly GrowingColumn[], longestFirst = false): Float64Array[] {
  const finished = columns.map((column) => column.finish());
  const [start, end] = finished;
  if (start === undefined || end === undefined) return finished;
  const order = sortedOrder(start, end, longestFirst);
  return finished.map((column) => reordered(column, order));
}
