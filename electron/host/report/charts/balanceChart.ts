import { type Markup, shortened } from '../markup.ts';
import type { VariantInk } from '../variantInk.ts';
import { axisColour, chartFont, extentOf, fromZero, linearScale, scaleAxis, tickText } from './axes.ts';
import { svgChart } from './svgChart.ts';

export interface BalanceBars {
  readonly ink: VariantInk;
  /** One per instance, in the order of `names`; NaN where this run has no such instance. */
  readonly values: readonly number[];
}

/** A bar per instance and run, over the mean of each run as a line. */
export function balanceChart(
  metric: string,
  names: readonly string[],
  bars: readonly BalanceBars[],
  label: string,
): Markup {
  const share = metric === 'busy';
  const extent = share ? { min: 0, max: 1 } : fromZero(extentOf(bars.map((b) => b.values)));
  const scale = linearScale(extent, 4);
  // Names stand upright only where each has room; a number stands for it otherwise (the table has both).
  const longest = Math.max(...names.map((name) => name.length), 1);
  const room = 930 / Math.max(names.length, 1) / 7;
  const texts = names.map((name, i) =>
    longest <= room || room >= 8 ? shortened(name, Math.max(6, Math.floor(room))) : String(i),
  );
  return svgChart(
    {
      grid: { left: 52, right: 8, top: 10, bottom: 24 },
      xAxis: {
        type: 'category',
        data: texts,
        axisLine: { lineStyle: { color: 'var(--line-strong)' } },
        axisTick: { show: false },
        axisLabel: {
          color: axisColour,
          fontSize: chartFont - 1,
          hideOverlap: true,
          interval: names.length > 40 ? 3 : 0,
        },
      },
      yAxis: scaleAxis(scale, (v) => tickText(metric, v)),
      series: bars.map(({ ink, values }) => ({
        type: 'bar',
        silent: true,
        barMaxWidth: 26,
        barGap: '8%',
        barCategoryGap: '28%',
        itemStyle: {
          color: ink.colour,
          opacity: 0.85,
          ...(ink.dashed
            ? { color: `url(#hatch-${ink.index})`, borderColor: ink.colour, borderWidth: 1, opacity: 1 }
            : {}),
        },
        // A bar of no height would still have a border.
        data: values.map((v) =>
          !Number.isFinite(v) ? '-' : v === 0 ? { value: 0, itemStyle: { borderWidth: 0 } } : v,
        ),
      })),
    },
    { width: 940, height: 170 },
    label,
  );
}
