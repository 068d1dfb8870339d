import type { IterationShape } from '../cost/costModel.ts';
import { LinearCost } from '../cost/linearCost.ts';
import { RooflineCost } from '../cost/rooflineCost.ts';
import { quantile } from '../metrics/percentile.ts';
import type { ModelShape } from '../model/shape.ts';
import type { CostSpec, LinearCostSpec } from '../run/costSpec.ts';
import type { Fraction } from '../units.ts';
import { leastSquares } from './leastSquares.ts';
import { type Bounded, nelderMead } from './nelderMead.ts';

export type RooflineSpec = Extract<CostSpec, { kind: 'roofline' }>;
export const fitKinds = ['roofline', 'linear'] as const;
export type FitKind = (typeof fitKinds)[number];

/** How good a fit is where it was not fitted: |predicted ÷ measured − 1| of one phase. */
export interface PhaseFit {
  readonly phase: string;
  readonly points: number;
  readonly median: Fraction;
  readonly p90: Fraction;
}

export interface Calibration {
  /** Goes into a run spec as an instance's `cost`. */
  readonly cost: RooflineSpec | LinearCostSpec;
  readonly fitted: readonly PhaseFit[];
  readonly heldOut: readonly PhaseFit[];
}

/** A comparison of one point; `held` points are never fitted to. */
export interface Point {
  readonly phase: string;
  readonly held: boolean;
  readonly measured: number;
}

/** Which numbers are free, and the spec that they make. */
export interface Form<Spec> {
  readonly bounds: readonly Bounded[];
  spec(candidate: readonly number[]): Spec;
}

export const rooflineForm = (gpu: string, tensorParallel: number): Form<RooflineSpec> => ({
  bounds: [
    { low: 0.05, high: 1, start: 0.6 },
    { low: 0.05, high: 1, start: 0.7 },
    { low: 0, high: 20_000, start: 500 },
  ],
  spec: ([compute = 1, memory = 1, overhead = 0]) => ({
    kind: 'roofline',
    gpu,
    tensor_parallel: tensorParallel,
    compute_efficiency: compute,
    memory_efficiency: memory,
    iteration_overhead_us: overhead,
  }),
});

/** Coefficients around a first guess, none below 0: none of these terms shortens a pass. */
const linearForm = (guess: readonly number[]): Form<LinearCostSpec> => ({
  bounds: guess.map((start) => ({ low: 0, high: 3 * start, start })),
  spec: ([base = 0, prefill = 0, pair = 0, decode = 0, context = 0]) => ({
    kind: 'linear',
    base_us: base,
    prefill_us_per_token: prefill,
    prefill_us_per_pair: pair,
    decode_us_per_sequence: decode,
    decode_us_per_context_token: context,
  }),
});

/** Fits the form to the points that are not held: the sum of |log(predicted ÷ measured)|. Says how good it is on both halves. */
export function fitCost<Spec extends Calibration['cost']>(
  form: Form<Spec>,
  points: readonly Point[],
  predict: (cost: Spec) => ArrayLike<number>,
  steps: number,
): Calibration {
  const { point } = nelderMead(
    (candidate) => {
      const predicted = predict(form.spec(candidate));
      let sum = 0;
      points.forEach(({ held, measured }, i) => {
        if (!held) sum += Math.abs(Math.log((predicted[i] ?? 0) / measured));
      });
      return sum;
    },
    form.bounds,
    steps,
  );
  const cost = form.spec(point);
  const predicted = predict(cost);
  const quality = (held: boolean): PhaseFit[] =>
    [...new Set(points.map(({ phase }) => phase))].flatMap((phase) => {
      const errors = points.flatMap((p, i) =>
        p.held === held && p.phase === phase ? [Math.abs((predicted[i] ?? 0) / p.measured - 1)] : [],
      );
      if (errors.length === 0) return [];
      return [{ phase, points: errors.length, median: quantile(errors, 0.5), p90: quantile(errors, 0.9) }];
    });
  return { cost, fitted: quality(false), heldOut: quality(true) };
}

/** Phases whose held-out part is missed by more than `most` in the median: such a fit is no calibration. */
export const missedPhases = ({ heldOut }: Calibration, most: Fraction): readonly PhaseFit[] =>
  heldOut.filter(({ median }) => !(median <= most));

/** What the passes ran on; the card and the shape count for the roofline alone. */
export interface PassesOf {
  readonly gpu: string;
  readonly tensorParallel: number;
  readonly model: ModelShape;
}

/** Fits a cost model of the chosen form to passes whose times (ns) are in `points`, in the same order as `shapes`. */
export function fitToPasses(
  fit: FitKind,
  { gpu, tensorParallel, model }: PassesOf,
  shapes: readonly IterationShape[],
  points: readonly Point[],
  steps: number,
): Calibration {
  switch (fit) {
    case 'roofline':
      return fitCost(
        rooflineForm(gpu, tensorParallel),
        points,
        (spec) => {
          const cost = new RooflineCost(spec, model);
          return shapes.map((shape) => cost.iterationNs(shape));
        },
        steps,
      );
    case 'linear': {
      const own = shapes.filter((_, i) => points[i]?.held === false);
      const times = points.flatMap(({ held, measured }) => (held ? [] : [measured / 1e3]));
      const terms = own.map((s) => [
        1,
        s.prefillTokens,
        s.prefillTokens > 0 ? s.prefillPairs : 0,
        s.decodeSequences,
        s.decodeSequences > 0 ? s.decodeContextTokens : 0,
      ]);
      return fitCost(
        linearForm(leastSquares(terms, times)),
        points,
        (spec) => {
          const cost = new LinearCost(spec);
          return shapes.map((shape) => cost.iterationNs(shape));
        },
        2 * steps,
      );
    }
    default: {
      const never: never = fit;
      return never;
    }
  }
}
