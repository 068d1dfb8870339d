/** A curve through measured points, times in µs. */
export interface Curve {
  readonly at: readonly number[];
  readonly us: readonly number[];
}

/** The index i of the segment [i, i + 1] of ascending keys that x lies on, or of the nearest one; looked for at `hint` first. */
function segment(keys: ArrayLike<number>, x: number, hint = 0): number {
  const most = keys.length - 2;
  if (hint <= most && (keys[hint] ?? 0) <= x && (hint === most || x < (keys[hint + 1] ?? 0))) return hint;
  let low = 0;
  let high = most;
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

/**
 * A function known at measured points: axis by axis, where an inner axis may have other points under each point of the outer one.
 * One class for all depths, so that a look-up is compiled once: a short run has no time to warm up.
 */
export class Grid {
  private readonly keys: Float64Array;
  /** One grid per key, or none on the innermost axis, whose values are in `values`. */
  private readonly under: readonly Grid[];
  private readonly values: Float64Array;
  /** Where the last look-up was: passes follow each other, so the next one is mostly there too. */
  private last = 0;

  private constructor(keys: Float64Array, under: readonly Grid[], values: Float64Array) {
    this.keys = keys;
    this.under = under;
    this.values = values;
  }

  /** Points as rows; `axes` are the columns of its coordinates, outermost first. Equal points are averaged. */
  static of(points: readonly (readonly number[])[], axes: readonly number[], value: number): Grid {
    const [axis = 0, ...inner] = axes;
    const groups = new Map<number, (readonly number[])[]>();
    for (const point of points) {
      const key = point[axis] ?? 0;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [point]);
      else group.push(point);
    }
    const keys = Float64Array.from(groups.keys()).sort();
    const rows = (key: number) => groups.get(key) ?? [];
    if (inner.length > 0) {
      const under = Array.from(keys, (key) => Grid.of(rows(key), inner, value));
      return new Grid(keys, under, new Float64Array(0));
    }
    const mean = (key: number): number => {
      let sum = 0;
      for (const point of rows(key)) sum += point[value] ?? 0;
      return sum / rows(key).length;
    };
    return new Grid(keys, [], Float64Array.from(keys, mean));
  }

  /** Multilinear: straight between points, the last segment goes on beyond the last one, the first point holds before it; 0 where there is none. */
  at(a: number, b = 0, c = 0, d = 0): number {
    const { keys, under, values } = this;
    const isInner = under.length > 0;
    if (keys.length < 2 || a <= (keys[0] ?? 0)) {
      return isInner ? (under[0]?.at(b, c, d) ?? 0) : (values[0] ?? 0);
    }
    const i = segment(keys, a, this.last);
    this.last = i;
    const from = keys[i] ?? 0;
    const weight = (a - from) / ((keys[i + 1] ?? 0) - from);
    const low = weight === 1 ? 0 : isInner ? (under[i]?.at(b, c, d) ?? 0) : (values[i] ?? 0);
    if (weight === 0) return low;
    const high = isInner ? (under[i + 1]?.at(b, c, d) ?? 0) : (values[i + 1] ?? 0);
    return low + (high - low) * weight;
  }
}
