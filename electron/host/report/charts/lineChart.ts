import type { Markup } from '../markup.ts';
import { linearScale, type Scale, scaleAxis, tickText, timeUnit } from './axes.ts';
import { axisName } from './cdfChart.ts';
import type { Bucket } from './series.ts';
import { svgChart } from './svgChart.ts';

export interface TimeLine {
  readonly colour: string;
  readonly dash: 'solid' | number[];
  readonly width: number;
  readonly stretches: readonly (readonly Bucket[])[];
}

/** Values over time; each bucket is drawn from its least to its greatest value. */
export function lineChart(
  metric: string,
  lines: readonly TimeLine[],
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
        ...scaleAxis(linearScale({ min: 0, max: durationMs / time.ms }, size.width > 600 ? 12 : 6), (v) =>
          tickText('', v),
        ),
        ...axisName(`time since the run's start, ${time.name}`),
      },
      yAxis: scaleAxis(scale, (v) => tickText(metric, v)),
      series: lines.flatMap((line) =>
        line.stretches.map((stretch) => ({
          type: 'line',
          silent: true,
          showSymbol: stretch.length === 1,
          symbolSize: 4,
          itemStyle: { color: line.colour },
          lineStyle: { color: line.colour, width: line.width, type: line.dash },
          data: fromLeastToGreatest(stretch).map(([ms, value]) => [ms / time.ms, scale.place(value)]),
        })),
      ),
    },
    size,
    label,
  );
}

/** Two points for a bucket whose values differ, in the order that comes from the value before. */
function fromLeastToGreatest(stretch: readonly Bucket[]): readonly (readonly [number, number])[] {
  let before = stretch[0]?.last ?? 0;
  return stretch.flatMap((b) => {
    const risingFirst = Math.abs(b.min - before) <= Math.abs(b.max - before);
    before = risingFirst ? b.max : b.min;
    if (b.min === b.max) return [[b.ms, b.last] as const];
    return risingFirst
      ? [[b.ms, b.min] as const, [b.ms, b.max] as const]
      : [[b.ms, b.max] as const, [b.ms, b.min] as const];
  });
}
