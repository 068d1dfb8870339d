import type { EChartsCoreOption } from 'echarts';
import { formatMetric } from '../../workloads/metrics/format.ts';
import { ink } from './chartInk.ts';

export interface CdfCurve {
  readonly label: string;
  readonly token: string;
  /** Ascending values at equal steps of the quantile from 0 to 1. */
  readonly values: Float64Array;
  readonly n: number;
  /** Lengths of strokes and gaps in pixels; absent: solid. */
  readonly dash?: readonly number[];
}

export const cdfMargin = { left: 44, right: 14, top: 10, bottom: 20 };

/** The x axis is logarithmic: from the 0.5 % quantile to the largest value, so that one tiny value does not spread it. */
export function cdfExtent(curves: readonly CdfCurve[]): readonly [number, number] {
  const lows = curves.map(({ values }) => values[Math.floor(values.length * 0.005)] ?? 1);
  const highs = curves.map(({ values }) => values.at(-1) ?? 1);
  const low = Math.max(1e-3, Math.min(...lows));
  return [low, Math.max(low * 1.01, ...highs)];
}

/** Share of the samples at or below a value, 0..1. */
export function shareBelow(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return values.length < 2 ? low : Math.min(1, Math.max(0, low - 1) / (values.length - 1));
}

export function cdfOption(curves: readonly CdfCurve[], metric: string): EChartsCoreOption {
  const text = { color: ink.colour('--text-3'), fontFamily: 'Inter Variable', fontSize: 10.5 };
  const [min, max] = cdfExtent(curves);
  return {
    animation: false,
    backgroundColor: 'transparent',
    grid: cdfMargin,
    xAxis: {
      type: 'log',
      min,
      max,
      axisTick: { show: false },
      axisLine: { lineStyle: { color: ink.colour('--line-strong') } },
      splitLine: { lineStyle: { color: ink.colour('--grid') } },
      axisLabel: {
        ...text,
        margin: 5,
        hideOverlap: true,
        // Within less than a decade no round power falls between the ends: they are named themselves.
        showMinLabel: max / min < 10,
        showMaxLabel: max / min < 10,
        formatter: (value: number) => formatMetric(metric, value),
      },
    },
    yAxis: {
      type: 'value',
      min: 0,
      max: 1,
      interval: 0.25,
      axisTick: { show: false },
      axisLine: { show: false },
      splitLine: { lineStyle: { color: ink.colour('--grid') } },
      axisLabel: { ...text, margin: 6, formatter: (value: number) => `${value * 100} %` },
    },
    series: curves.map((curve) => ({
      type: 'line',
      data: points(curve.values),
      symbol: 'none',
      silent: true,
      lineStyle: {
        color: ink.colour(curve.token),
        width: 1.75,
        type: curve.dash === undefined ? 'solid' : [...curve.dash],
      },
    })),
  };
}

function points(values: Float64Array): Float64Array {
  const rows = new Float64Array(values.length * 2);
  values.forEach((value, index) => {
    rows[index * 2] = Math.max(1e-3, value);
    rows[index * 2 + 1] = index / Math.max(1, values.length - 1);
  });
  return rows;
}
