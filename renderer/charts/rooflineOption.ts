import type { EChartsCoreOption } from 'echarts';
import { threeFigures } from '../../workloads/metrics/format.ts';
import { ink } from './chartInk.ts';

/** One line of a roof: rising with the bandwidth, flat at the peak. */
export interface RoofLine {
  readonly label: string;
  /** FLOP/s at intensity 1 for a memory roof; the peak of a compute roof. */
  readonly value: number;
  readonly kind: 'memory' | 'compute';
  /** Where it meets the other roofs: a memory roof ends there, a compute roof begins. */
  readonly meets: number;
  readonly isMeasured: boolean;
}

export type Mark = 'circle' | 'triangle' | 'diamond' | 'rect';

export interface PlotPoint {
  readonly id: string;
  readonly label: string;
  /** FLOP/B and FLOP/s. */
  readonly x: number;
  readonly y: number;
  readonly token: string;
  readonly mark: Mark;
  readonly size: number;
  readonly isSelected: boolean;
  readonly isNamed: boolean;
  /** The same point at other memory levels: equal height, another intensity each. */
  readonly levels: readonly { readonly label: string; readonly x: number }[];
}

export interface PlotCurve {
  readonly token: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface RooflinePlot {
  readonly roofs: readonly RoofLine[];
  readonly curves: readonly PlotCurve[];
  readonly points: readonly PlotPoint[];
  /** FLOP/B and FLOP/s. */
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

export const rooflineMargin = { left: 70, right: 16, top: 10, bottom: 34 };

export const flops = (value: number): string => {
  for (const [unit, size] of [
    ['P', 1e15],
    ['T', 1e12],
    ['G', 1e9],
    ['M', 1e6],
  ] as const)
    if (value >= size) return `${threeFigures(value / size)}\u202f${unit}FLOP/s`;
  return `${threeFigures(value)}\u202fFLOP/s`;
};

/** 12 → `12`, 1000 → `1k`, 0.1 → `0.1`. */
const power = (value: number): string =>
  value >= 1e6
    ? `${value / 1e6}M`
    : value >= 1000
      ? `${value / 1000}k`
      : String(Number(value.toPrecision(3)));

export function rooflineOption({ roofs, curves, points, x, y }: RooflinePlot): EChartsCoreOption {
  const text = { color: ink.colour('--text-3'), fontFamily: 'Inter Variable', fontSize: 10.5 };
  const axis = {
    type: 'log',
    axisTick: { show: false },
    axisLine: { show: true, lineStyle: { color: ink.colour('--line-strong') } },
    splitLine: { show: true, lineStyle: { color: ink.colour('--grid') } },
    nameTextStyle: text,
  };
  return {
    animation: false,
    backgroundColor: 'transparent',
    grid: { ...rooflineMargin, outerBoundsMode: 'none' },
    xAxis: {
      ...axis,
      min: x[0],
      max: x[1],
      name: 'arithmetic intensity, FLOP per byte',
      nameLocation: 'middle',
      nameGap: 19,
      axisLabel: { ...text, margin: 5, formatter: power },
    },
    yAxis: {
      ...axis,
      min: y[0],
      max: y[1],
      name: 'attained rate, FLOP/s',
      nameLocation: 'middle',
      nameGap: rooflineMargin.left - 14,
      axisLabel: { ...text, margin: 6, formatter: (value: number) => flops(value).replace('FLOP/s', '') },
    },
    series: [
      ...roofs.map((roof) => roofSeries(roof, x, y)),
      ...curves.map((curve) => ({
        type: 'line',
        data: curve.points.map(([a, b]) => [a, b]),
        symbol: 'none',
        silent: true,
        z: 3,
        lineStyle: { color: ink.faint(curve.token, 0.6), width: 1.25 },
      })),
      ...points.flatMap((point) => levelSeries(point)),
      ...points.map((point) => ({
        type: 'line',
        data: [[point.x, point.y]],
        symbol: point.mark,
        symbolSize: point.size,
        silent: true,
        z: point.isSelected ? 6 : 5,
        labelLayout: { hideOverlap: true },
        itemStyle: {
          color: ink.faint(point.token, point.isSelected ? 1 : 0.82),
          borderColor: ink.colour(point.isSelected ? '--text' : '--surface-1'),
          borderWidth: point.isSelected ? 2 : 1,
        },
        label: {
          show: point.isNamed || point.isSelected,
          formatter: () => point.label,
          position: 'bottom',
          distance: 6,
          color: ink.colour('--text-2'),
          fontFamily: 'Inter Variable',
          fontSize: 10.5,
          textBorderColor: ink.colour('--surface-1'),
          textBorderWidth: 3,
        },
      })),
    ],
  };
}

/** A kernel's levels joined by a line: faint, and named where the point is chosen. */
function levelSeries(point: PlotPoint) {
  if (point.levels.length === 0) return [];
  const places = [...point.levels, { label: 'HBM', x: point.x }].sort((a, b) => a.x - b.x);
  return [
    {
      type: 'line',
      data: places.map(({ x }) => [x, point.y]),
      symbol: 'emptyCircle',
      symbolSize: 5,
      silent: true,
      z: 4,
      lineStyle: { color: ink.faint(point.token, point.isSelected ? 0.9 : 0.35), width: 1 },
      itemStyle: { color: ink.faint(point.token, point.isSelected ? 1 : 0.5) },
      label: {
        show: point.isSelected,
        formatter: ({ dataIndex }: { readonly dataIndex: number }) => places[dataIndex]?.label ?? '',
        position: 'top',
        distance: 4,
        color: ink.colour('--text-3'),
        fontFamily: 'Inter Variable',
        fontSize: 10,
        textBorderColor: ink.colour('--surface-1'),
        textBorderWidth: 3,
      },
    },
  ];
}

function roofSeries(roof: RoofLine, x: readonly [number, number], y: readonly [number, number]) {
  const ends: [number, number][] =
    roof.kind === 'compute'
      ? [
          [Math.max(x[0], roof.meets), roof.value],
          [x[1], roof.value],
        ]
      : [
          // Left of the plot's floor nothing is drawn.
          [Math.max(x[0], y[0] / roof.value), Math.max(x[0], y[0] / roof.value) * roof.value],
          [Math.min(x[1], roof.meets), Math.min(x[1], roof.meets) * roof.value],
        ];
  return {
    type: 'line',
    data: ends,
    symbol: 'none',
    silent: true,
    z: 2,
    // Labels give way to each other: the roofs stay readable where many of them meet.
    labelLayout: { hideOverlap: true },
    lineStyle: {
      color: ink.colour(roof.isMeasured ? '--text-2' : '--text-3'),
      width: roof.isMeasured ? 1.75 : 1.25,
      type: roof.isMeasured ? 'solid' : [5, 4],
    },
    endLabel: {
      show: true,
      formatter: () => roof.label,
      color: ink.colour('--text-3'),
      fontFamily: 'Inter Variable',
      fontSize: 10.5,
      ...(roof.kind === 'compute'
        ? { align: 'right', offset: [-4, -8] }
        : { align: 'right', offset: [-14, -2] }),
    },
  };
}
