import { type Random, stream } from '../../run/random.ts';
import type { Axis } from './axis.ts';
import { cost, ranks } from './pareto.ts';
import { keyOf, type PointValues, type SweepPoint } from './point.ts';
import type { Search } from './search.ts';
import type { ObjectiveSpec } from './sweepSpec.ts';

/** Points of one batch: what a search asks for before it looks at results again. */
const batch = 8;
/** Candidates drawn for each point asked for (hyperopt's default). */
const candidates = 24;

/**
 * Tree-structured Parzen estimators (Bergstra 2011), for several objectives after Ozaki 2020: the points tried are split by
 * Pareto rank into good and other ones; each axis gets a density of the good, l, and of the others, g; of candidates drawn
 * from l the one with the largest l/g is asked for. Kernels are logistic, cut at the ends of the axis: their distribution
 * function and its inverse need no series. The first quarter of the budget, at most 40, is drawn evenly.
 */
export class ParzenSearch implements Search {
  readonly total: number;
  private readonly axes: readonly Axis[];
  private readonly objectives: readonly ObjectiveSpec[];
  private readonly seed: number;
  private readonly first: number;

  constructor(axes: readonly Axis[], objectives: readonly ObjectiveSpec[], budget: number, seed: number) {
    const points = axes.reduce(
      (product, { grid }) => product * (grid?.length ?? Number.POSITIVE_INFINITY),
      1,
    );
    this.axes = axes;
    this.objectives = objectives;
    this.total = Math.min(budget, points);
    this.seed = seed;
    this.first = Math.min(this.total, Math.max(batch, Math.min(40, Math.ceil(budget / 4))));
  }

  next(tried: readonly SweepPoint[]): readonly PointValues[] {
    const left = Math.min(batch, this.total - tried.length);
    if (left <= 0) return [];
    const random = stream(this.seed, `parzen ${tried.length}`);
    const seen = new Set(tried.map(({ values }) => keyOf(values)));
    const asked: PointValues[] = [];
    if (tried.length < this.first) {
      const count = this.first - tried.length;
      for (let i = 0; i < count; i++) {
        this.ask(asked, seen, random, (axis) => axis.valueAt(random.uniform()));
      }
      return asked;
    }
    const { good, other } = this.split(tried);
    const models = this.axes.map((axis) => ({
      axis,
      good: new Density(axis, good),
      other: new Density(axis, other),
    }));
    for (let i = 0; i < left; i++) {
      let best: PointValues | undefined;
      let bestGain = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < candidates; c++) {
        let gain = 0;
        const values: Record<string, PointValues[string]> = {};
        for (const model of models) {
          const value = model.axis.valueAt(model.good.draw(random));
          const at = model.axis.positionOf(value);
          gain += Math.log(model.good.at(at)) - Math.log(model.other.at(at));
          values[model.axis.parameter] = value;
        }
        if (gain > bestGain && !seen.has(keyOf(values))) {
          best = values;
          bestGain = gain;
        }
      }
      const found = best;
      this.ask(asked, seen, random, (axis) => found?.[axis.parameter] ?? axis.valueAt(random.uniform()));
    }
    return asked;
  }

  /** Adds the point that `choose` gives; where it was tried before, a random one that was not. */
  private ask(
    asked: PointValues[],
    seen: Set<string>,
    random: Random,
    choose: (axis: Axis) => PointValues[string],
  ): void {
    let values: PointValues = Object.fromEntries(this.axes.map((axis) => [axis.parameter, choose(axis)]));
    for (let tries = 0; seen.has(keyOf(values)); tries++) {
      values =
        tries < 200
          ? Object.fromEntries(this.axes.map((axis) => [axis.parameter, axis.valueAt(random.uniform())]))
          : this.firstUnseen(seen);
    }
    seen.add(keyOf(values));
    asked.push(values);
  }

  /** A finite space that is nearly exhausted: the first combination that was not tried. `total` says there is one. */
  private firstUnseen(seen: ReadonlySet<string>): PointValues {
    const count = this.axes.map(({ grid }) => grid?.length ?? 1000);
    const at = count.map(() => 0);
    for (;;) {
      const values = Object.fromEntries(
        this.axes.map((axis, a) => [axis.parameter, axis.valueAt(((at[a] ?? 0) + 0.5) / (count[a] ?? 1))]),
      );
      if (!seen.has(keyOf(values))) return values;
      let a = 0;
      while (a < at.length) {
        at[a] = (at[a] ?? 0) + 1;
        if ((at[a] ?? 0) < (count[a] ?? 1)) break;
        at[a++] = 0;
      }
      if (a === at.length) throw new Error('search: every point of the axes was tried');
    }
  }

  /** The best √n points, 3 to 25 (hyperopt's cap), by Pareto rank and then by how alone they stand on their front. */
  private split(tried: readonly SweepPoint[]): {
    readonly good: readonly PointValues[];
    readonly other: readonly PointValues[];
  } {
    const size = Math.min(25, Math.max(3, Math.ceil(Math.sqrt(tried.length))));
    const rank = ranks(tried, this.objectives, size);
    const costs = tried.map((p) => this.objectives.map((o, i) => cost(o, p.objectives[i])));
    // Within a rank the most extreme and lonely ones first, so that the whole front is followed and not one end of it.
    const crowding = crowdingDistance(costs, rank);
    const order = tried
      .map((_, i) => i)
      .sort((i, j) => (rank[i] ?? 0) - (rank[j] ?? 0) || (crowding[j] ?? 0) - (crowding[i] ?? 0) || i - j);
    const valuesOf = (index: number): PointValues => tried[index]?.values ?? {};
    return { good: order.slice(0, size).map(valuesOf), other: order.slice(size).map(valuesOf) };
  }
}

/** Deb 2002: how far the neighbours of the same rank are; large where a point stands alone. Finite: ends get 2 per objective. */
function crowdingDistance(costs: readonly (readonly number[])[], rank: Int32Array): Float64Array {
  const distance = new Float64Array(costs.length);
  const levels = new Map<number, number[]>();
  rank.forEach((level, i) => {
    levels.set(level, [...(levels.get(level) ?? []), i]);
  });
  for (const members of levels.values()) {
    const objectives = costs[members[0] ?? 0]?.length ?? 0;
    for (let o = 0; o < objectives; o++) {
      const costOf = (i: number | undefined): number => costs[i ?? -1]?.[o] ?? 0;
      members.sort((i, j) => (costOf(i) < costOf(j) ? -1 : costOf(i) > costOf(j) ? 1 : i - j));
      const span = costOf(members[members.length - 1]) - costOf(members[0]);
      members.forEach((i, k) => {
        const isEnd = k === 0 || k === members.length - 1;
        const gap = isEnd ? 2 : (costOf(members[k + 1]) - costOf(members[k - 1])) / span;
        distance[i] = (distance[i] ?? 0) + (Number.isFinite(gap) ? gap : 0);
      });
    }
  }
  return distance;
}

const logistic = (z: number): number => 1 / (1 + Math.exp(-z));

/** A density over one axis, 0 .. 1: a kernel at each point, and one even share so that nothing is ruled out. */
class Density {
  private readonly centres: readonly number[];
  private readonly widths: readonly number[];
  private readonly isCategorical: boolean;
  private readonly values: number;

  constructor(axis: Axis, points: readonly PointValues[]) {
    this.centres = points.map((values) => axis.positionOf(values[axis.parameter] ?? 0)).sort((a, b) => a - b);
    this.isCategorical = axis.isCategorical;
    this.values = axis.grid?.length ?? 0;
    // As wide as the distance to the farther neighbour, within bounds (Bergstra 2011); a logistic of scale s has
    // standard deviation s × π/√3.
    const n = this.centres.length;
    this.widths = this.centres.map((centre, i) => {
      const before = centre - (this.centres[i - 1] ?? 0);
      const after = (this.centres[i + 1] ?? 1) - centre;
      return Math.min(1, Math.max(before, after, 1 / (1 + n))) / 1.8138;
    });
  }

  /** A position drawn from it. */
  draw(random: Random): number {
    const n = this.centres.length;
    const i = random.integer(0, n);
    const centre = this.centres[i];
    if (centre === undefined) return Math.min(random.uniform(), 1 - 1e-12);
    if (this.isCategorical) return centre;
    const width = this.widths[i] ?? 1;
    const low = logistic(-centre / width);
    const high = logistic((1 - centre) / width);
    const u = low + random.uniform() * (high - low);
    return Math.min(1 - 1e-12, Math.max(0, centre + width * Math.log(u / (1 - u))));
  }

  at(position: number): number {
    const n = this.centres.length;
    let sum = 1;
    if (this.isCategorical) {
      // Shares: positions of a value are equal, so what is near is the same value.
      const half = 0.5 / this.values;
      for (const centre of this.centres) {
        const isSame = centre > position - half && centre < position + half;
        if (isSame) sum += this.values;
      }
      return sum / (n + 1);
    }
    this.centres.forEach((centre, i) => {
      const width = this.widths[i] ?? 1;
      const inside = logistic((1 - centre) / width) - logistic(-centre / width);
      const f = logistic((position - centre) / width);
      sum += (f * (1 - f)) / (width * inside);
    });
    return sum / (n + 1);
  }
}
