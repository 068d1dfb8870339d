import type { SampleSeries } from '../state/sampleSeries.ts';

/**
 * A series as cells of equal time: the mean of the samples in each, the last known value where a cell has none.
 *
 *   samples   0.2   0.4 │         │ 1.0          cells  0.3 │ 0.4 │ 1.0
 *
 * NaN before the first sample and after the last.
 */
export function stripCells(
  series: SampleSeries,
  fromMs: number,
  toMs: number,
  columns: number,
): Float64Array {
  const cells = new Float64Array(columns).fill(Number.NaN);
  const width = (toMs - fromMs) / columns;
  let index = Math.max(0, series.indexAt(fromMs));
  const endMs = series.timeAt(series.length - 1);
  let known = series.timeAt(index) <= fromMs ? series.valueAt(index) : Number.NaN;
  for (let column = 0; column < columns; column += 1) {
    const end = fromMs + (column + 1) * width;
    let sum = 0;
    let n = 0;
    for (; index < series.length && series.timeAt(index) < end; index += 1) {
      if (series.timeAt(index) < fromMs) continue;
      sum += series.valueAt(index);
      n += 1;
      known = series.valueAt(index);
    }
    if (n > 0) cells[column] = sum / n;
    else if (end - width <= endMs) cells[column] = known;
  }
  return cells;
}
