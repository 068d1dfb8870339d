import type { EChartsCoreOption } from 'echarts';
import { formatMetric } from '../../workloads/metrics/format.ts';
import { shortNames } from '../state/shortNames.ts';
import { ink } from './chartInk.ts';

interface Bars {
  readonly names: readonly string[];
  readonly bars: readonly {
    readonly label: string;
    readonly token: string;
    readonly values: readonly number[];
  }[];
  readonly metric: string;
  readonly isSimulated: boolean;
}

/** Bars side by side per name, lying, each with its value at its end. */
export function barsOption({ names, bars, metric, isSimulated }: Bars): EChartsCoreOption {
  const text = { color: ink.colour('--text-2'), fontFamily: 'Inter Variable', fontSize: 11 };
  return {
    animation: false,
    backgroundColor: 'transparent',
    grid: { left: 92, right: 64, top: 6, bottom: 8 },
    xAxis: {
      type: 'value',
      min: 0,
      axisLabel: { show: false },
      splitLine: { lineStyle: { color: ink.colour('--grid') } },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: [...shortNames(names, 14).labels],
      axisTick: { show: false },
      axisLine: { lineStyle: { color: ink.colour('--line-strong') } },
      axisLabel: { ...text, margin: 8 },
    },
    series: bars.map((bar) => ({
      type: 'bar',
      name: bar.label,
      data: bar.values.map((value) => (Number.isFinite(value) ? value : '-')),
      barMaxWidth: 9,
      barGap: '15%',
      silent: true,
      itemStyle: {
        color: ink.faint(bar.token, isSimulated ? 0.75 : 1),
        ...(isSimulated
          ? {
              decal: {
                symbol: 'rect',
                dashArrayX: [1, 0],
                dashArrayY: [1, 4],
                rotation: -Math.PI / 4,
                color: ink.faint('--surface-1', 0.55),
              },
            }
          : {}),
      },
      label: {
        show: true,
        position: 'right',
        color: ink.colour('--text-2'),
        fontFamily: 'Inter Variable',
        fontSize: 10,
        formatter: ({ value }: { readonly value: unknown }) =>
          typeof value === 'number' ? formatMetric(metric, value) : '',
      },
    })),
  };
}
