import type { EChartsCoreOption } from 'echarts';
import { threeFigures } from '../../workloads/metrics/format.ts';
import { ink } from './chartInk.ts';

export interface LoadPoint {
  readonly load: number;
  readonly value: number;
  readonly interval: readonly [number, number];
  readonly exact: number | undefined;
}

/** A mean over load: simulated points with whiskers, the formula dashed. */
export function queueCurveOption(points: readonly LoadPoint[]): EChartsCoreOption {
  const text = { color: ink.colour('--text-3'), fontFamily: 'Inter Variable', fontSize: 10.5 };
  const axis = {
    axisTick: { show: false },
    axisLine: { show: true, lineStyle: { color: ink.colour('--line-strong') } },
    splitLine: { show: true, lineStyle: { color: ink.colour('--grid') } },
  };
  const most = Math.max(1, ...points.map(({ load }) => load));
  const accent = ink.colour('--accent');
  return {
    animation: false,
    backgroundColor: 'transparent',
    grid: { left: 52, right: 18, top: 12, bottom: 38, outerBoundsMode: 'none' },
    xAxis: {
      type: 'value',
      min: 0,
      max: most,
      ...axis,
      name: 'load ρ per server',
      nameLocation: 'middle',
      nameGap: 22,
      nameTextStyle: text,
      axisLabel: { ...text, formatter: (value: number) => String(Number(value.toFixed(2))) },
    },
    yAxis: { type: 'value', min: 0, ...axis, axisLabel: { ...text, formatter: threeFigures } },
    series: [
      {
        type: 'line',
        data: points.flatMap(({ load, exact }) => (exact === undefined ? [] : [[load, exact]])),
        symbol: 'none',
        silent: true,
        smooth: 0.25,
        smoothMonotone: 'x',
        lineStyle: { color: ink.colour('--text-3'), width: 1.5, type: [5, 4] },
      },
      ...points.map(({ load, interval }) => ({
        type: 'line',
        data: interval.map((end) => [load, end]),
        symbol: 'rect',
        symbolSize: [9, 1.5],
        silent: true,
        lineStyle: { color: accent, width: 1.25 },
        itemStyle: { color: accent },
      })),
      {
        type: 'line',
        data: points.map(({ load, value }) => [load, value]),
        symbol: 'circle',
        symbolSize: 7,
        showAllSymbol: true,
        silent: true,
        lineStyle: { width: 0 },
        itemStyle: { color: accent },
      },
    ],
  };
}
