import type { ImportBudget } from '../importBudget.ts';

const blockRows = 65_536;

/** A column of numbers whose length is not known beforehand: grows by blocks, so that nothing is copied and little lies idle. */
export class GrowingColumn {
  private readonly full: Float64Array[] = [];
  private block = new Float64Array(256);
  private used = 0;
  private readonly budget: Pick<ImportBudget, 'keep'> | undefined;

  /** What the column takes is charged to the budget, where there is one. */
  constructor(budget?: Pick<ImportBudget, 'keep'>) {
    this.budget = budget;
  }

  get length(): number {
    return this.full.length * blockRows + this.used;
  }

  push(value: number): void {
    if (this.used === this.block.length) this.grow();
    this.block[this.used] = value;
    this.used += 1;
  }

  /** All values, in the order of `order` (row `i` is value `order[i]`) where it is given. The column is empty afterwards. */
  finish(order?: Uint32Array): Float64Array {
    const out = new Float64Array(this.length);
    if (order === undefined) {
      let at = 0;
      for (const block of this.full) {
        out.set(block, at);
        at += blockRows;
      }
      out.set(this.block.subarray(0, this.used), at);
    } else for (let i = 0; i < order.length; i += 1) out[i] = this.at(order[i] ?? 0);
    this.full.length = 0;
    this.block = new Float64Array(256);
    this.used = 0;
    return out;
  }

  at(row: number): number {
    const block = this.full[Math.floor(row / blockRows)] ?? this.block;
    return block[row % blockRows] ?? Number.NaN;
  }

  private grow(): void {
    if (this.used === blockRows) {
      this.budget?.keep(blockRows * 8);
      this.full.push(this.block);
      this.block = new Float64Array(blockRows);
      this.used = 0;
      return;
    }
    const larger = new Float64Array(Math.min(blockRows, this.used * 2));
    larger.set(this.block);
    this.block = larger;
  }
}

/** Row numbers sorted by `first`, then by `second` (descending where `secondDescending`), then as they were; undefined where they are. */
export function sortedOrder(
  rows: number,
  first: (row: number) => number,
  second: (row: number) => number,
  secondDescending = false,
): Uint32Array | undefined {
  let sorted = true;
  for (let i = 1; sorted && i < rows; i += 1) sorted = first(i - 1) < first(i);
  if (sorted) return undefined;
  const order = new Uint32Array(rows);
  for (let i = 0; i < rows; i += 1) order[i] = i;
  const sign = secondDescending ? -1 : 1;
  return order.sort((a, b) => first(a) - first(b) || sign * (second(a) - second(b)) || a - b);
}

/**
 * All columns in order of the first (start), then the second (end). Column after column, each emptied as it is done: beside the
 * result there is never more than one of them twice.
 */
export function sortedColumns(columns: readonly GrowingColumn[], longestFirst = false): Float64Array[] {
  const [start, end] = columns;
  if (start === undefined || end === undefined) return columns.map((column) => column.finish());
  const order = sortedOrder(
    start.length,
    (row) => start.at(row),
    (row) => end.at(row),
    longestFirst,
  );
  return columns.map((column) => column.finish(order));
}

/** The last row of each id, for ids that are mostly small integers: a table where that is smaller than a map. */
export function rowsById(ids: Float64Array): (id: number) => number | undefined {
  let largest = -1;
  let areIndexes = true;
  for (const id of ids) {
    if (Number.isNaN(id)) continue;
    areIndexes &&= Number.isInteger(id) && id >= 0;
    if (id > largest) largest = id;
  }
  if (areIndexes && largest < 8 * ids.length + 1024) {
    const rows = new Int32Array(largest + 1).fill(-1);
    ids.forEach((id, row) => {
      if (!Number.isNaN(id)) rows[id] = row;
    });
    return (id) => {
      const row = rows[id];
      return row === undefined || row < 0 ? undefined : row;
    };
  }
  const rows = new Map<number, number>();
  ids.forEach((id, row) => {
    if (!Number.isNaN(id)) rows.set(id, row);
  });
  return (id) => rows.get(id);
}
