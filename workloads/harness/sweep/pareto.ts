import type { Ranked } from './point.ts';
import type { ObjectiveSpec } from './sweepSpec.ts';

/** A figure so that lower is better; a missing one is worse than every other. */
export const cost = (objective: Pick<ObjectiveSpec, 'better'>, figure: number | null | undefined): number =>
  figure === undefined || figure === null || Number.isNaN(figure)
    ? Number.POSITIVE_INFINITY
    : objective.better === 'lower'
      ? figure
      : -figure;

const violationOf = ({ violation, error }: Ranked): number =>
  error === undefined ? violation : Number.POSITIVE_INFINITY;

/**
 * a is at least as good in everything and better in something. Feasible beats infeasible, of two infeasible ones the
 * smaller violation wins (constraint domination, Deb 2002), and a setting that could not be run loses to all others.
 */
export function dominates(a: Ranked, b: Ranked, objectives: readonly ObjectiveSpec[]): boolean {
  const [missedA, missedB] = [violationOf(a), violationOf(b)];
  if (missedA !== missedB) return missedA < missedB;
  let better = false;
  for (let i = 0; i < objectives.length; i++) {
    const objective = objectives[i];
    if (objective === undefined) continue;
    const [x, y] = [cost(objective, a.objectives[i]), cost(objective, b.objectives[i])];
    if (x > y) return false;
    if (x < y) better = true;
  }
  return better;
}

/** Indices of the feasible points that nobody dominates, by the first objective from its best. */
export function paretoFront(points: readonly Ranked[], objectives: readonly ObjectiveSpec[]): number[] {
  const [first] = objectives;
  if (first === undefined) return [];
  const costs = points.map((p) => objectives.map((o, i) => cost(o, p.objectives[i])));
  const order = points
    .map((_, i) => i)
    .filter(
      (i) =>
        points[i]?.error === undefined &&
        points[i]?.violation === 0 &&
        costs[i]?.every((c) => c < Number.POSITIVE_INFINITY),
    )
    .sort((i, j) => compareCosts(costs[i] ?? [], costs[j] ?? []) || i - j);
  // Sorted so, a point can only be dominated by one before it, and then by one that is on the front.
  const front: number[] = [];
  for (const i of order) {
    const own = points[i];
    if (own === undefined) continue;
    const isDominated = front.some((j) => {
      const other = points[j];
      return other !== undefined && dominates(other, own, objectives);
    });
    if (!isDominated) front.push(i);
  }
  return front;
}

function compareCosts(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * 0 for points that nobody dominates, 1 for those dominated by rank 0 alone, and so on; as long as `points`. Once
 * `enough` points have their rank, the others share the next one.
 */
export function ranks(
  points: readonly Ranked[],
  objectives: readonly ObjectiveSpec[],
  enough = points.length,
): Int32Array {
  const rank = new Int32Array(points.length).fill(-1);
  let level = 0;
  for (let done = 0; done < enough; level++) {
    const now: number[] = [];
    points.forEach((own, i) => {
      if ((rank[i] ?? 0) >= 0) return;
      const isDominated = points.some(
        (other, j) => j !== i && (rank[j] ?? 0) < 0 && dominates(other, own, objectives),
      );
      if (!isDominated) now.push(i);
    });
    for (const i of now) rank[i] = level;
    done += now.length;
  }
  return rank.map((own) => (own < 0 ? level : own));
}
