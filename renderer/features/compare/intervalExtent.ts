/** Half width of a ratio axis that is centred on 1 and logarithmic: the largest |log| there is, at least that of 10 %. */
export function extentOf(intervals: readonly (readonly [number, number])[]): number {
  const logs = intervals
    .flat()
    .filter((value) => value > 0 && Number.isFinite(value))
    .map((value) => Math.abs(Math.log(value)));
  return Math.min(Math.log(8), Math.max(Math.log(1.1), ...logs) * 1.08);
}

/** Place of a ratio on that axis, 0..1; beyond it at the edge. */
export function placeOf(ratio: number, extent: number): number {
  const log = ratio > 0 ? Math.log(ratio) : -extent;
  return (Math.max(-extent, Math.min(extent, log)) + extent) / (2 * extent);
}
