import type { Markup } from '../markup.ts';
import { dash, type VariantInk } from '../variantInk.ts';
import {
  extentOf,
  fromZero,
  linearScale,
  logScale,
  type Scale,
  scaleAxis,
  tickText,
  timeUnit,
} from './axes.ts';
import { axisName, sloLine } from './cdfChart.ts';
import { type Bucket, stretches } from './series.ts';
import { svgChart } from './svgChart.ts';

const source = 'cluster';
const percentiles = ['p50', 'p95', 'p99'] as const;

/** One latency scale for all runs, so that their panels can be compared: logarithmic where the values span much. */
export function latencyScale(metric: string, inks: readonly VariantInk[]): Scale | undefined {
  const values = inks.flatMap(({ run }) =>
    percentiles.flatMap((p) =>
      stretches(run, source, `${metric}.${p}`).map((s) => s.flatMap((b) => [b.last, b.max])),
    ),
  );
  const positive = extentOf(values.map((list) => list.filter((v) => v > 0)));
  if (positive === undefined) return undefined;
  if (positive.max / positive.min > 30) return logScale(positive);
  return linearScale(fromZero(positive));
}

/**
 * Percentiles of a sliding window over time: a line for p50, a band up to p95 and a fainter one up to p99. The upper edges
 * are the highest value of each bucket, so that no spike is lost.
 */
export function percentileChart(
  metric: string,
  ink: VariantInk,
  scale: Scale,
  durationMs: number,
  slo: number | undefined,
): Markup {
  const time = timeUnit(durationMs);
  const [p50, p95, p99] = [
    stretches(ink.run, source, `${metric}.p50`),
    stretches(ink.run, source, `${metric}.p95`),
    stretches(ink.run, source, `${metric}.p99`),
  ];
  const bottom = Math.max(scale.extent.min, 0);
  const inside = slo !== undefined && slo >= bottom && slo <= scale.extent.max;
  return svgChart(
    {
      grid: { left: 62, right: 12, top: 10, bottom: 42 },
      xAxis: {
        ...scaleAxis(linearScale({ min: 0, max: durationMs / time.ms }, 6), (v) => tickText('', v)),
        ...axisName(`time since the run's start, ${time.name}`),
      },
      yAxis: scaleAxis(scale, (v) => tickText(metric, v)),
      series: [
        ...bands(p95, p99, 'max', time.ms, scale, ink.colour, 0.16),
        ...bands(p50, p95, 'last', time.ms, scale, ink.colour, 0.34),
        ...p50.map((stretch) => ({
          type: 'line',
          silent: true,
          showSymbol: stretch.length === 1,
          symbolSize: 4,
          itemStyle: { color: ink.colour },
          lineStyle: { color: ink.colour, width: 1.6, type: dash(ink) },
          data: stretch.map((b) => [b.ms / time.ms, scale.place(b.last)]),
        })),
        ...(inside
          ? [{ type: 'line', data: [], markLine: sloLine(scale.place(slo), 'yAxis', tickText(metric, slo)) }]
          : []),
      ],
    },
    { width: 460, height: 220 },
    `${metric} percentiles over time, ${ink.label}`,
  );
}

/** Areas up to the highest values of `upper`, from the `edge` of `lower`: one per stretch of `upper`. */
function bands(
  lower: readonly (readonly Bucket[])[],
  upper: readonly (readonly Bucket[])[],
  edge: 'last' | 'max',
  unitMs: number,
  scale: Scale,
  colour: string,
  opacity: number,
) {
  const below = new Map(lower.flat().map((b) => [b.ms, b[edge]]));
  return upper.map((stretch) => {
    const both = stretch.filter((b) => below.has(b.ms));
    const outline = [
      ...both.map((b) => [b.ms / unitMs, scale.place(b.max)]),
      ...both
        .toReversed()
        .map((b) => [b.ms / unitMs, scale.place(Math.min(below.get(b.ms) ?? b.last, b.max))]),
    ];
    return {
      type: 'custom',
      silent: true,
      clip: true,
      data: outline.length < 4 ? [] : [outline[0]],
      renderItem: (_: unknown, api: { coord(at: unknown): number[] }) => ({
        type: 'polygon',
        shape: { points: outline.map((at) => api.coord(at)) },
        style: { fill: colour, opacity },
      }),
    };
  });
}
