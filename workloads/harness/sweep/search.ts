import { InputError } from '../../run/inputError.ts';
import { stream } from '../../run/random.ts';
import type { Axis } from './axis.ts';
import { ParzenSearch } from './parzenSearch.ts';
import type { PointValues, SweepPoint } from './point.ts';
import type { SweepSpec } from './sweepSpec.ts';

/** Which points are tried, in which order. Deterministic: the same sweep asks for the same points on every machine. */
export interface Search {
  /** Points in all, where that is known beforehand. */
  readonly total: number;
  /**
   * The next points after those tried; empty: done. A search that learns asks for a batch and sees all of it before the
   * next, so that what it asks for does not depend on how many cores work.
   */
  next(tried: readonly SweepPoint[]): readonly PointValues[];
}

const most = 1_000_000;

export function searchOf(spec: SweepSpec, axes: readonly Axis[]): Search {
  switch (spec.search.kind) {
    case 'grid':
      return gridSearch(axes);
    case 'random':
      return latinHypercube(axes, spec.search.budget, spec.seed);
    case 'bayesian':
      return new ParzenSearch(axes, spec.objectives, spec.search.budget, spec.seed);
    default: {
      const never: never = spec.search;
      return never;
    }
  }
}

function gridSearch(axes: readonly Axis[]): Search {
  const grids = axes.map(({ parameter, grid }) => {
    if (grid === undefined) {
      throw new InputError(
        `axis ${parameter}: a grid needs values or a number of steps (${parameter}=min..max:steps)`,
      );
    }
    return { parameter, grid };
  });
  const total = grids.reduce((product, { grid }) => product * grid.length, 1);
  if (total > most) {
    throw new InputError(
      `axes: ${total} combinations, expected at most ${most}; take fewer steps or search random`,
    );
  }
  const at = (index: number): PointValues => {
    // The last axis turns fastest, as nested loops would.
    const chosen: [string, PointValues[string]][] = [];
    let rest = index;
    for (let i = grids.length - 1; i >= 0; i--) {
      const axis = grids[i];
      if (axis === undefined) continue;
      const value = axis.grid[rest % axis.grid.length];
      if (value !== undefined) chosen.unshift([axis.parameter, value]);
      rest = Math.floor(rest / axis.grid.length);
    }
    return Object.fromEntries(chosen);
  };
  return {
    total,
    next: (tried) => (tried.length > 0 ? [] : Array.from({ length: total }, (_, i) => at(i))),
  };
}

/** McKay, Beckman, Conover 1979: each axis is cut into `budget` equal parts and every part is tried once. */
function latinHypercube(axes: readonly Axis[], budget: number, seed: number): Search {
  const points = (): PointValues[] => {
    const columns = axes.map(({ parameter }) => {
      const random = stream(seed, `sweep ${parameter}`);
      const cells = Float64Array.from({ length: budget }, (_, i) => i);
      random.shuffle(cells);
      return cells.map((cell) => (cell + random.uniform()) / budget);
    });
    return Array.from({ length: budget }, (_, i) =>
      Object.fromEntries(axes.map((axis, a) => [axis.parameter, axis.valueAt(columns[a]?.[i] ?? 0)])),
    );
  };
  return { total: budget, next: (tried) => (tried.length > 0 ? [] : points()) };
}
