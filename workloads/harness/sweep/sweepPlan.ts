import { findTarget } from '../../catalog/catalog.ts';
import { completeValues } from '../../catalog/values.ts';
import { findMetric } from '../../metrics/registry.ts';
import { summaryFigures } from '../../metrics/summaryFigures.ts';
import { InputError } from '../../run/inputError.ts';
import { gpusOf as instanceGpus } from '../../run/instanceSpec.ts';
import type { ParameterValue } from '../../run/parameter.ts';
import type { RunSpec, TrafficSpec } from '../../run/spec.ts';
import type { Summary } from '../../run/summary.ts';
import { type Axis, axisOf } from './axis.ts';
import type { PointValues, SweepPoint } from './point.ts';
import { type Search, searchOf } from './search.ts';
import type { ConstraintSpec, ObjectiveSpec, SweepSpec } from './sweepSpec.ts';

/** GPUs that the instances of a run spec take. */
export function gpusOf(spec: Pick<RunSpec, 'cluster'>): number {
  return spec.cluster.instances.reduce((sum, instance) => sum + instanceGpus(instance), 0);
}

/** A sweep that was checked: which points it asks for, the run spec of each, and what a summary says of it. */
export interface SweepPlan {
  readonly spec: SweepSpec;
  readonly axes: readonly Axis[];
  readonly search: Search;
  runSpecOf(values: PointValues): RunSpec;
  pointOf(index: number, values: PointValues, run: RunSpec, summary: Summary): SweepPoint;
  /** A setting that cannot be run, and why. */
  failedPoint(index: number, values: PointValues, error: string): SweepPoint;
}

/** Throws InputError where the sweep cannot be. */
export function planSweep(spec: SweepSpec): SweepPlan {
  const target = findTarget(spec.target);
  if (target === undefined) throw new InputError(`target "${spec.target}": not in the catalogue`);
  if (spec.engine !== 'sim')
    throw new InputError(`engine ${spec.engine}: a sweep runs on the simulator, expected sim`);
  const traced = spec.traffic?.kind === 'trace';
  const axes = spec.axes.map((axis) => axisOf(axis, target, traced));
  const names = axes.map(({ parameter }) => parameter);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new InputError(`axis ${twice}: given twice`);
  const fixed = names.find((name) => spec.parameters[name] !== undefined);
  if (fixed !== undefined)
    throw new InputError(
      `parameter ${fixed}: it is an axis of the sweep and given a value, expected one of them`,
    );
  completeValues(target.parameters, spec.parameters);
  for (const { metric } of [...spec.objectives, ...spec.constraints]) {
    const found = findMetric(metric);
    if (found === undefined)
      throw new InputError(
        `metric "${metric}": not in the registry, expected e.g. goodput_rps or ttft_ms.p99`,
      );
    if (found.metric.kind === 'latency' && found.statistic === undefined)
      throw new InputError(`metric ${metric}: it has a distribution, expected e.g. ${metric}.p99`);
  }
  const runSpecOf = (values: PointValues): RunSpec => {
    const parameters: Record<string, ParameterValue> = { ...spec.parameters };
    let { variant } = spec;
    let traffic: TrafficSpec | undefined = spec.traffic;
    for (const [name, value] of Object.entries(values)) {
      if (name === 'variant') variant = String(value);
      else if (name === 'speedup' && traffic?.kind === 'trace')
        traffic = { ...traffic, speedup: Number(value) };
      else parameters[name] = value;
    }
    const made = target.spec({
      variant,
      engine: spec.engine,
      parameters,
      ...(traffic === undefined ? {} : { traffic }),
      seed: spec.seed,
      iterations: spec.iterations,
    });
    return {
      ...made,
      slo: { ...made.slo, ...spec.slo },
      detail: { requests: 'none', decisions: 'none', iterations: 'none' },
    };
  };
  return {
    spec,
    axes,
    search: searchOf(spec, axes),
    runSpecOf,
    pointOf: (index, values, run, summary) => {
      const figures = summaryFigures(summary);
      const gpus = gpusOf(run);
      const figure = ({ metric, per }: Pick<ObjectiveSpec, 'metric' | 'per'>): number | null => {
        const value = figures.get(metric);
        if (value === undefined || Number.isNaN(value)) return null;
        return per === 'gpu' ? value / gpus : value;
      };
      return {
        index,
        values,
        objectives: spec.objectives.map(figure),
        violation: spec.constraints.reduce((sum, c) => sum + missedBy(c, figure(c)), 0),
        figures: Object.fromEntries(figures),
        gpus,
      };
    },
    failedPoint: (index, values, error) => ({
      index,
      values,
      objectives: spec.objectives.map(() => null),
      violation: 0,
      figures: {},
      gpus: 0,
      error,
    }),
  };
}

/** How far a constraint is missed, as a share of its limit; a figure that the run does not have misses it wholly. */
function missedBy({ op, value }: ConstraintSpec, figure: number | null): number {
  if (figure === null) return 1;
  const over = op === '<=' ? figure - value : value - figure;
  return over <= 0 ? 0 : over / Math.max(Math.abs(value), 1e-9);
}
