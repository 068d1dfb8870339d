import { type Ceilings, levelLabel, memoryLevels } from '../../../workloads/roofline/ceilings.ts';
import type { PointSource, RooflinePoint } from '../../../workloads/roofline/point.ts';
import { type Precision, precisionLabel } from '../../../workloads/roofline/precision.ts';
import { type Assessment, assess, position, ridge } from '../../../workloads/roofline/roof.ts';
import type { Mark, PlotPoint, RoofLine, RooflinePlot } from '../../charts/rooflineOption.ts';

/** A point under its roof, and what the plot and the table call it. */
export interface Assessed {
  readonly point: RooflinePoint;
  readonly ceilings: Ceilings;
  readonly assessment: Assessment | undefined;
}

export const assessed = (point: RooflinePoint, ceilings: Ceilings): Assessed => ({
  point,
  ceilings,
  assessment: assess(point, ceilings),
});

/** Never colour alone: each source has a shape. */
export const markOf: Readonly<Record<PointSource, Mark>> = {
  analytic: 'circle',
  simulated: 'triangle',
  measured: 'rect',
  captured: 'diamond',
};
export const sourceGlyph: Readonly<Record<PointSource, string>> = {
  analytic: '●',
  simulated: '▲',
  measured: '■',
  captured: '◆',
};

export function tokenOf({ label, source }: Pick<RooflinePoint, 'label' | 'source'>): string {
  if (/\bprefill\b/.test(label)) return '--prefill';
  if (/\bdecode\b/.test(label)) return '--decode';
  if (/\bmixed\b/.test(label)) return '--mixed';
  return source === 'captured' ? '--optimized' : '--accent';
}

/** Share of the time of all points of one source that have one; a point without is drawn at the usual size. */
export function timeShares(points: readonly Assessed[]): ReadonlyMap<string, number> {
  const totals = new Map<PointSource, number>();
  for (const { point } of points)
    totals.set(point.source, (totals.get(point.source) ?? 0) + (point.timeNs ?? 0));
  return new Map(
    points.flatMap(({ point }) => {
      const total = totals.get(point.source) ?? 0;
      return point.timeNs === undefined || total <= 0 ? [] : [[point.id, point.timeNs / total] as const];
    }),
  );
}

/** Area by share: 8 px for nothing, 26 px for everything. */
export const sizeOf = (share: number | undefined): number =>
  share === undefined ? 12 : 8 + 18 * Math.sqrt(Math.min(1, Math.max(0, share)));

/** Memory roofs up to the best compute roof, compute roofs from the best memory roof on. */
export function roofsOf(ceilings: Ceilings, shown: readonly Precision[]): RoofLine[] {
  const bandwidths = memoryLevels.flatMap((level) => ceilings.memory[level]?.value ?? []);
  const peaks = shown.flatMap((precision) => ceilings.compute[precision]?.value ?? []);
  const [fastest, highest] = [Math.max(0, ...bandwidths), Math.max(0, ...peaks)];
  return [
    ...memoryLevels.flatMap((level): RoofLine[] => {
      const ceiling = ceilings.memory[level];
      if (ceiling === undefined || highest === 0) return [];
      return [
        {
          label: levelLabel[level],
          value: ceiling.value,
          kind: 'memory',
          meets: ridge(highest, ceiling.value),
          isMeasured: ceiling.basis !== 'data_sheet',
        },
      ];
    }),
    ...shown.flatMap((precision): RoofLine[] => {
      const ceiling = ceilings.compute[precision];
      if (ceiling === undefined || fastest === 0) return [];
      // One line for formats of one rate (FP8 and INT8): two labels on one another cannot be read.
      const equals = shown.filter((other) => ceilings.compute[other]?.value === ceiling.value);
      if (equals[0] !== precision) return [];
      return [
        {
          label:
            equals.length === 1
              ? precisionLabel[precision]
              : `${equals.map((each) => each.toUpperCase()).join(', ')} tensor`,
          value: ceiling.value,
          kind: 'compute',
          meets: ridge(ceiling.value, fastest),
          isMeasured: ceiling.basis !== 'data_sheet',
        },
      ];
    }),
  ];
}

/** Whole decades around what is drawn. */
export function extentOf(values: readonly number[], least: number): readonly [number, number] {
  const finite = values.filter((value) => Number.isFinite(value) && value > 0);
  if (finite.length === 0) return [1, 10 ** least];
  const low = Math.floor(Math.log10(Math.min(...finite)));
  const high = Math.ceil(Math.log10(Math.max(...finite) * 1.05));
  return [10 ** low, 10 ** Math.max(high, low + least)];
}

/** The plot of points and curves; a point with no place on it (a copy, no bytes known) is in the table only. */
export function plotOf(
  points: readonly Assessed[],
  curves: RooflinePlot['curves'],
  roofs: readonly RoofLine[],
  selected: string | undefined,
): RooflinePlot {
  const shares = timeShares(points);
  const placed = points.flatMap(({ point, assessment }): PlotPoint[] => {
    const place = assessment === undefined ? undefined : position(point, 'hbm', assessment);
    if (place === undefined) return [];
    return [
      {
        id: point.id,
        label: point.label.length > 40 ? `${point.label.slice(0, 39)}…` : point.label,
        x: place.intensity,
        y: place.rate,
        token: tokenOf(point),
        mark: markOf[point.source],
        size: sizeOf(shares.get(point.id)),
        isSelected: point.id === selected,
        // What-if points are named; a run's own formula lies beside its kernel, and one name is enough.
        isNamed: point.source === 'analytic' && point.timeNs === undefined,
        levels: memoryLevels.flatMap((level) => {
          const x = assessment?.intensity[level];
          return level === 'hbm' || x === undefined || !(x > 0) ? [] : [{ label: levelLabel[level], x }];
        }),
      },
    ];
  });
  const levels = placed.flatMap((point) => point.levels.map(({ x }) => x));
  const xs = [
    ...placed.map(({ x }) => x),
    ...levels,
    ...curves.flatMap((curve) => curve.points.map(([x]) => x)),
  ];
  const ridges = roofs.filter(({ kind }) => kind === 'memory').map(({ meets }) => meets);
  const ys = [...placed.map(({ y }) => y), ...curves.flatMap((curve) => curve.points.map(([, y]) => y))];
  const peaks = roofs.filter(({ kind }) => kind === 'compute').map(({ value }) => value);
  return {
    roofs,
    curves,
    points: placed,
    x: extentOf([...xs, ...ridges], 3),
    y: extentOf([...ys, ...peaks], 2),
  };
}

/** The point nearest to a place in pixels, at most `reach` away. */
export function nearest(
  plot: RooflinePlot,
  at: { readonly x: number; readonly y: number },
  size: { readonly width: number; readonly height: number },
  reach = 18,
): PlotPoint | undefined {
  let best: PlotPoint | undefined;
  let bestDistance = reach;
  for (const point of plot.points) {
    const x = logShare(point.x, plot.x) * size.width;
    const y = (1 - logShare(point.y, plot.y)) * size.height;
    const distance = Math.hypot(x - at.x, y - at.y);
    if (distance <= bestDistance) {
      best = point;
      bestDistance = distance;
    }
  }
  return best;
}

const logShare = (value: number, [low, high]: readonly [number, number]): number =>
  Math.log(value / low) / Math.log(high / low);
