import type { SweepContents } from '../../../electron/contract/sweeps.ts';
import type { SweepPoint } from '../../../workloads/harness/sweep/point.ts';
import type { ObjectiveSpec } from '../../../workloads/harness/sweep/sweepSpec.ts';
import { formatMetric, threeFigures } from '../../../workloads/metrics/format.ts';
import { findMetric, metricLabel } from '../../../workloads/metrics/registry.ts';

/** Something that a point can be placed by: an axis of the sweep, or a figure of the run. */
export interface Dimension {
  readonly id: string;
  readonly label: string;
  readonly figureOf: (point: SweepPoint) => number | undefined;
  readonly format: (value: number) => string;
  readonly better?: 'lower' | 'higher';
}

const objectiveId = (index: number): string => `objective:${index}`;

export const objectiveLabel = ({ metric, per }: Pick<ObjectiveSpec, 'metric' | 'per'>): string =>
  `${metricLabel(metric)}${per === 'gpu' ? ' per GPU' : ''}`;

/** The objectives first, then the axes that are numbers, then every figure that some point has. */
export function dimensionsOf({ spec, points }: SweepContents): readonly Dimension[] {
  const objectives = spec.objectives.map(
    (objective, i): Dimension => ({
      id: objectiveId(i),
      label: objectiveLabel(objective),
      figureOf: (point) => point.objectives[i] ?? undefined,
      format: (value) => formatMetric(objective.metric, value),
      better: objective.better,
    }),
  );
  const axes = spec.axes
    .filter(({ parameter }) => points.every(({ values }) => typeof values[parameter] === 'number'))
    .map(
      ({ parameter }): Dimension => ({
        id: `axis:${parameter}`,
        label: parameter,
        figureOf: ({ values }) => {
          const value = values[parameter];
          return typeof value === 'number' ? value : undefined;
        },
        format: threeFigures,
      }),
    );
  const ids = [...new Set(points.flatMap(({ figures }) => Object.keys(figures)))];
  const figures = ids
    .filter((id) => findMetric(id) !== undefined)
    .map(
      (id): Dimension => ({
        id: `figure:${id}`,
        label: metricLabel(id),
        figureOf: (point) => point.figures[id],
        format: (value) => formatMetric(id, value),
      }),
    );
  return [...objectives, ...axes, ...figures];
}

/** Values of an axis in a good order for a legend: numbers by size, words as they come. */
export function valuesOf(
  points: readonly SweepPoint[],
  parameter: string,
): readonly (string | number | boolean)[] {
  const all = [...new Set(points.map(({ values }) => values[parameter]))].filter(
    (value) => value !== undefined,
  );
  return all.every((value) => typeof value === 'number') ? all.sort((a, b) => Number(a) - Number(b)) : all;
}
