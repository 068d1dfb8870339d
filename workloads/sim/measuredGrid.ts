/** A curve through measured points, times in µs. */
export interface Curve {
  readonly at: readonly number[];
  readonly us: readonly number[];
}

/** A measured grid, axis by axis; an inner axis may have other points under each point of the outer one. */
export type Grid = { readonly keys: readonly number[]; readonly under: readonly Grid[] } | number;

/** The index i of the segment [i, i + 1] that x lies on, or of the nearest one. */
function segment(keys: readonly number[], x: number): number {
  let low = 0;
  let high = keys.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((keys[middle] ?? 0) <= x) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Straight between points; the last segment goes on beyond the last point, the first point holds before it. */
export function onCurve({ at, us }: Curve, x: number): number {
  const first = at[0] ?? 0;
  if (at.length === 1 || x <= first) return us[0] ?? 0;
  const i = segment(at, x);
  const from = at[i] ?? 0;
  const low = us[i] ?? 0;
  const value = low + (((us[i + 1] ?? 0) - low) * (x - from)) / ((at[i + 1] ?? 0) - from);
  return Math.max(value, 0);
}

/** Multilinear, axis by axis, at the edges as `onCurve`. */
export function onGrid(node: Grid, a: number, b = 0, c = 0, d = 0): number {
  if (typeof node === 'number') return node;
  const { keys, under } = node;
  const below = under[0] ?? 0;
  if (keys.length < 2 || a <= (keys[0] ?? 0)) return onGrid(below, b, c, d);
  const i = segment(keys, a);
  const from = keys[i] ?? 0;
  const weight = (a - from) / ((keys[i + 1] ?? 0) - from);
  const low = weight === 1 ? 0 : onGrid(under[i] ?? 0, b, c, d);
  if (weight === 0) return low;
  const high = onGrid(under[i + 1] ?? 0, b, c, d);
  return low + (high - low) * weight;
}
