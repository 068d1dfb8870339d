import type { EChartsCoreOption } from 'echarts';
import { ink } from './chartInk.ts';

export interface ScatterAxis {
  readonly label: string;
  readonly isLog: boolean;
  readonly min: number;
  readonly max: number;
  readonly format: (value: number) => string;
}

export interface ScatterPoint {
  readonly id: number;
  readonly x: number;
  readonly y: number;
  readonly token: string;
  /** Misses a constraint: drawn hollow. */
  readonly isHollow: boolean;
  readonly isOnFront: boolean;
  readonly isSelected: boolean;
}

export interface ScatterPlot {
  readonly x: ScatterAxis;
  readonly y: ScatterAxis;
  readonly points: readonly ScatterPoint[];
  /** The front, in order of x. */
  readonly front: readonly (readonly [x: number, y: number])[];
}

export const scatterMargin = { left: 78, right: 18, top: 12, bottom: 38 };

/** A little wider than the values, so that no mark is cut; equal ends are spread. */
export function extentOf(values: readonly number[], isLog: boolean): readonly [number, number] {
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [isLog ? 0.1 : 0, 1];
  if (isLog) {
    const pad = high > low ? (high / low) ** 0.04 : 1.2;
    return [low / pad, high * pad];
  }
  const pad = high > low ? (high - low) * 0.04 : Math.abs(high) * 0.1 || 1;
  return [low >= 0 ? Math.max(0, low - pad) : low - pad, high + pad];
}

/** Position of a value on its axis, 0 .. 1. */
export const placeOn = ({ isLog, min, max }: ScatterAxis, value: number): number =>
  isLog ? Math.log(value / min) / Math.log(max / min) : (value - min) / (max - min);

export function scatterOption({ x, y, points, front }: ScatterPlot): EChartsCoreOption {
  const text = { color: ink.colour('--text-3'), fontFamily: 'Inter Variable', fontSize: 10.5 };
  const axis = ({ isLog, min, max, format }: ScatterAxis) => ({
    type: isLog ? 'log' : 'value',
    min,
    max,
    axisTick: { show: false },
    axisLine: { show: true, lineStyle: { color: ink.colour('--line-strong') } },
    splitLine: { show: true, lineStyle: { color: ink.colour('--grid') } },
    nameTextStyle: text,
    axisLabel: { ...text, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: format },
  });
  return {
    animation: false,
    backgroundColor: 'transparent',
    grid: { ...scatterMargin, outerBoundsMode: 'none' },
    xAxis: { ...axis(x), name: x.label, nameLocation: 'middle', nameGap: 22 },
    yAxis: axis(y),
    series: [
      {
        type: 'line',
        data: front.map(([a, b]) => [a, b]),
        symbol: 'none',
        silent: true,
        z: 2,
        lineStyle: { color: ink.colour('--text-3'), width: 1.25, type: [5, 4] },
      },
      ...groupsOf(points).map((group) => {
        const [first] = group;
        const large = first?.isSelected === true || first?.isOnFront === true;
        return {
          // A line without a line: marks only, without one more chart type in the bundle.
          type: 'line',
          data: group.map((point) => [point.x, point.y]),
          symbol: first?.isOnFront === true ? 'diamond' : 'circle',
          symbolSize: first?.isSelected === true ? 13 : large ? 10 : 6,
          showAllSymbol: true,
          silent: true,
          z: first?.isSelected === true ? 6 : first?.isOnFront === true ? 5 : 3,
          lineStyle: { width: 0 },
          itemStyle: {
            color: first?.isHollow === true ? 'transparent' : ink.faint(first?.token ?? '--text-3', 0.85),
            borderColor:
              first?.isSelected === true
                ? ink.colour('--text')
                : ink.colour(first?.isHollow === true ? (first.token ?? '--fault') : '--surface-1'),
            borderWidth: first?.isSelected === true ? 2 : 1,
          },
        };
      }),
    ],
  };
}

/** Points that look alike are one series. */
function groupsOf(points: readonly ScatterPoint[]): readonly (readonly ScatterPoint[])[] {
  const groups = new Map<string, ScatterPoint[]>();
  for (const point of points) {
    const key = `${point.token} ${point.isHollow} ${point.isOnFront} ${point.isSelected}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [point]);
    else group.push(point);
  }
  return [...groups.values()];
}
