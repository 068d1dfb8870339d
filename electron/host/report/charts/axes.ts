import { metricParts } from '../../../../workloads/metrics/format.ts';

export const chartFont = 12;
export const axisColour = 'var(--text-2)';
export const gridColour = 'var(--grid)';

export interface Extent {
  readonly min: number;
  readonly max: number;
}

/** Least and greatest finite value; undefined for none. */
export function extentOf(lists: Iterable<Iterable<number>>): Extent | undefined {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const list of lists) {
    for (const value of list) {
      if (!Number.isFinite(value)) continue;
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return min <= max ? { min, max } : undefined;
}

/** `1 s`, `200 ms`, `80 %`: a metric's value without needless zeros. */
export function tickText(id: string, value: number): string {
  const { number, unit } = metricParts(id, value);
  const short = number.includes('.') ? number.replace(/\.?0+$/, '') : number;
  return unit === '' ? short : `${short}\u202f${unit}`;
}

const decadeSteps: readonly (readonly number[])[] = [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]];

/** Round values for a logarithmic axis: as many of each decade as do not exceed `most`; linear steps where the span is short. */
export function logTicks({ min, max }: Extent, most: number): readonly number[] {
  for (const steps of decadeSteps) {
    const ticks: number[] = [];
    for (let e = Math.floor(Math.log10(min)); e <= Math.ceil(Math.log10(max)); e++) {
      for (const step of steps) {
        const tick = Number((step * 10 ** e).toPrecision(6));
        if (tick >= min * 0.9999 && tick <= max * 1.0001) ticks.push(tick);
      }
    }
    if (ticks.length < 3) return linearTicks({ min, max }, 4);
    if (ticks.length <= most) return ticks;
  }
  const decades = Math.ceil(Math.log10(max / min) / most);
  const first = Math.ceil(Math.log10(min));
  return Array.from({ length: most }, (_, i) => 10 ** (first + i * decades)).filter((tick) => tick <= max);
}

/** Round values within the extent, about `wanted` of them. */
export function linearTicks({ min, max }: Extent, wanted: number): readonly number[] {
  const span = max - min;
  if (!(span > 0)) return [min];
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((s) => s * power >= rough * 0.999) ?? 10) * power;
  const ticks: number[] = [];
  for (let i = Math.ceil(min / step - 1e-9); i * step <= max + step * 1e-9; i++)
    ticks.push(i === 0 ? 0 : i * step);
  return ticks;
}

/** The extent widened to where a linear axis ends well, always from 0. */
export function fromZero(extent: Extent | undefined): Extent {
  const max = extent === undefined || extent.max <= 0 ? 1 : extent.max;
  const ticks = linearTicks({ min: 0, max }, 4);
  const step = (ticks[1] ?? max) - (ticks[0] ?? 0);
  const top = Math.ceil(max / step - 1e-9) * step;
  return { min: 0, max: top };
}

/** How a metric's axis maps values: logarithms are taken here, so that ticks stand exactly where we want them. */
export interface Scale {
  readonly kind: 'linear' | 'log';
  readonly extent: Extent;
  readonly ticks: readonly number[];
  /** Value to axis position; clamps what a logarithm cannot show. */
  place(value: number): number;
}

export function linearScale(extent: Extent, wanted = 4): Scale {
  return { kind: 'linear', extent, ticks: linearTicks(extent, wanted), place: (value) => value };
}

/** At most `most` ticks: labels on a horizontal axis are wide. */
export function logScale({ min, max }: Extent, most = 7): Scale {
  const low = min > 0 ? min : max > 0 ? max / 1e4 : 0.1;
  const high = max > low ? max : low * 10;
  // One value alone still gets a little room on both sides.
  const extent = high / low < 1.2 ? { min: low / 1.3, max: high * 1.3 } : { min: low, max: high };
  return {
    kind: 'log',
    extent,
    ticks: logTicks(extent, most),
    place: (value) => Math.log10(Math.min(Math.max(value, extent.min), extent.max)),
  };
}

/** ECharts' options of an axis with this scale. */
export function scaleAxis(scale: Scale, text: (value: number) => string) {
  const at = scale.ticks.map((tick) => scale.place(tick));
  return {
    type: 'value' as const,
    min: scale.place(scale.extent.min),
    max: scale.place(scale.extent.max),
    axisLine: { show: false },
    axisTick: { show: false, customValues: at },
    splitLine: { show: true, lineStyle: { color: gridColour } },
    axisLabel: {
      customValues: at,
      color: axisColour,
      fontSize: chartFont,
      hideOverlap: true,
      formatter: (position: number) => text(scale.kind === 'log' ? roundTick(10 ** position) : position),
    },
  };
}

/** 10 ** log10(20) is 20.000000000000004. */
const roundTick = (value: number): number => Number(value.toPrecision(6));

/** Time since the run's start, in the unit that suits its length. */
export interface TimeUnit {
  readonly ms: number;
  readonly name: string;
}

export function timeUnit(durationMs: number): TimeUnit {
  if (durationMs <= 2000) return { ms: 1, name: 'ms' };
  if (durationMs <= 300_000) return { ms: 1000, name: 's' };
  if (durationMs <= 5 * 3_600_000) return { ms: 60_000, name: 'min' };
  return { ms: 3_600_000, name: 'h' };
}
