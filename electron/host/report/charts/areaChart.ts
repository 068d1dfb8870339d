import type { Markup } from '../markup.ts';
import { linearScale, type Scale, scaleAxis, tickText, timeUnit } from './axes.ts';
import { axisName } from './cdfChart.ts';
import type { Bucket } from './series.ts';
import { svgChart } from './svgChart.ts';

export interface TimeArea {
  readonly colour: string;
  /** Colour, or a pattern for modelled figures. */
  readonly fill: string;
  readonly fillOpacity: number;
  readonly width: number;
  readonly stretches: readonly (readonly Bucket[])[];
}

/** Gauges over time as areas up to the highest value of each bucket: what counts of a queue or a cache is how full it got. */
export function areaChart(
  metric: string,
  areas: readonly TimeArea[],
  scale: Scale,
  durationMs: number,
  size: { readonly width: number; readonly height: number },
  label: string,
): Markup {
  const time = timeUnit(durationMs);
  return svgChart(
    {
      grid: { left: 62, right: 12, top: 10, bottom: 42 },
      xAxis: {
        ...scaleAxis(linearScale({ min: 0, max: durationMs / time.ms }, 6), (v) => tickText('', v)),
        ...axisName(`time since the run's start, ${time.name}`),
      },
      yAxis: scaleAxis(scale, (v) => tickText(metric, v)),
      series: areas.flatMap((area) =>
        area.stretches.map((stretch) => ({
          type: 'line',
          silent: true,
          showSymbol: stretch.length === 1,
          symbolSize: 4,
          itemStyle: { color: area.colour },
          lineStyle: { color: area.colour, width: area.width },
          areaStyle: { color: area.fill, opacity: area.fillOpacity },
          data: stretch.map((b) => [b.ms / time.ms, scale.place(b.max)]),
        })),
      ),
    },
    size,
    label,
  );
}
