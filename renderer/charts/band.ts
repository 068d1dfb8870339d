import type { SampleSeries } from '../state/sampleSeries.ts';

/**
 * Outline of the area between two series, as [t, value] pairs: along the upper one to the right, back along the lower one.
 * At most one point per pixel column and side: the highest of the upper, the lowest of the lower, so that no spike is lost.
 * Empty where either has no point in the range.
 */
export function bandOutline(
  lower: SampleSeries,
  upper: SampleSeries,
  fromMs: number,
  toMs: number,
  columns: number,
): readonly (readonly [number, number])[] {
  const top = edge(upper, fromMs, toMs, columns, Math.max);
  const bottom = edge(lower, fromMs, toMs, columns, Math.min);
  return top.length === 0 || bottom.length === 0 ? [] : [...top, ...bottom.reverse()];
}

function edge(
  series: SampleSeries,
  fromMs: number,
  toMs: number,
  columns: number,
  extreme: (a: number, b: number) => number,
): [number, number][] {
  const width = Math.max((toMs - fromMs) / Math.max(1, columns), Number.MIN_VALUE);
  const points: [number, number][] = [];
  let column = Number.NaN;
  // One point on either side of the range lets the area enter and leave the picture.
  for (let index = Math.max(0, series.indexAt(fromMs)); index < series.length; index += 1) {
    const time = series.timeAt(index);
    const value = series.valueAt(index);
    if (Number.isNaN(value)) continue;
    const here = Math.floor((time - fromMs) / width);
    const last = points.at(-1);
    if (here === column && last !== undefined) last[1] = extreme(last[1], value);
    else points.push([time, value]);
    column = here;
    if (time > toMs) break;
  }
  return points;
}
