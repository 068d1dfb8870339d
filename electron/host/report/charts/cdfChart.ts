import { quantileOfSorted } from '../../../../workloads/metrics/percentile.ts';
import type { Markup } from '../markup.ts';
import type { ReportCdf } from '../reportInput.ts';
import { dash, type VariantInk } from '../variantInk.ts';
import { axisColour, chartFont, extentOf, linearScale, logScale, scaleAxis, tickText } from './axes.ts';
import { svgChart } from './svgChart.ts';

export interface CdfLine {
  readonly ink: Pick<VariantInk, 'label' | 'colour' | 'symbol' | 'dashed'>;
  readonly cdf: ReportCdf;
}

const marked = [0.5, 0.95, 0.99];

/** Cumulative distributions over each other on a logarithmic axis; marks at p50, p95 and p99. */
export function cdfChart(metric: string, lines: readonly CdfLine[], slo: number | undefined): Markup {
  const sorted = lines.map(({ ink, cdf }) => ({
    ink,
    values: Array.from(cdf.values, Number).filter((v) => Number.isFinite(v)),
  }));
  const positive = sorted.map(({ values }) => values.filter((v) => v > 0));
  const extent = extentOf([...positive, slo === undefined ? [] : [slo]]) ?? { min: 1, max: 10 };
  const x = logScale(extent, 5);
  const y = linearScale({ min: 0, max: 1 }, 4);
  return svgChart(
    {
      grid: { left: 44, right: 22, top: 14, bottom: 26 },
      xAxis: scaleAxis(x, (v) => tickText(metric, v)),
      yAxis: scaleAxis(y, (v) => `${Math.round(v * 100)}\u202f%`),
      series: sorted.map(({ ink, values }, i) => ({
        type: 'line',
        silent: true,
        showSymbol: true,
        symbolSize: 8,
        data: [
          ...values.map((v, k) => ({
            value: [x.place(v), values.length > 1 ? k / (values.length - 1) : 1],
            symbol: 'none',
          })),
        ],
        lineStyle: { color: ink.colour, width: 1.8, type: dash(ink) },
        itemStyle: { color: ink.colour },
        markPoint: {
          silent: true,
          symbol: ink.symbol,
          symbolSize: 8,
          symbolKeepAspect: true,
          itemStyle: { color: 'var(--bg)', borderColor: ink.colour, borderWidth: 1.8 },
          label: { show: false },
          data:
            values.length === 0
              ? []
              : marked.map((q) => ({ coord: [x.place(quantileOfSorted(values, q)), q] })),
        },
        ...(i === 0 && slo !== undefined
          ? { markLine: sloLine(x.place(slo), 'xAxis', tickText(metric, slo)) }
          : {}),
      })),
    },
    { width: 460, height: 250 },
    `Cumulative distribution of ${metric}: ${lines.map((l) => l.ink.label).join(' and ')}`,
  );
}

/** The limit of an SLO across a chart, with its words. */
export function sloLine(at: number, axis: 'xAxis' | 'yAxis', text: string) {
  return {
    silent: true,
    symbol: 'none',
    animation: false,
    lineStyle: { color: 'var(--fault)', width: 1.2, type: [2, 2] },
    label: {
      formatter: `SLO ${text}`,
      color: 'var(--fault)',
      fontSize: chartFont - 1,
      position: axis === 'xAxis' ? 'insideStartTop' : 'insideEndTop',
    },
    data: [{ [axis]: at }],
  };
}

export const axisName = (text: string) => ({
  name: text,
  nameLocation: 'middle' as const,
  nameGap: 26,
  nameTextStyle: { color: axisColour, fontSize: chartFont },
});
