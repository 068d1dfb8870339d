import type {
  CustomSeriesOption,
  EChartsCoreOption,
  LineSeriesOption,
  XAXisComponentOption,
  YAXisComponentOption,
} from 'echarts';
import { clockText, type TimeRange } from '../state/timeRange.ts';
import { axisText } from './axisText.ts';
import { bandOutline } from './band.ts';
import { ink } from './chartInk.ts';
import { type MarkGroup, marksSeries } from './clusterMarks.ts';
import type { BandLayer, Layer, LineLayer, ThresholdLayer } from './layers.ts';

/** Every time chart has the same margins, so that one time stands above the other on the whole page. */
export const margin = { left: 58, right: 44, top: 10, bottom: 20 };

interface TimeChartPicture {
  readonly layers: readonly Layer[];
  readonly range: TimeRange;
  readonly isLog: boolean;
  readonly isSimulated: boolean;
  readonly width: number;
  readonly height: number;
  readonly metric: string;
  /** Upper end of the left axis, where the metric has one. */
  readonly max: number | undefined;
  /** Events of the cluster within the range. */
  readonly marks?: readonly MarkGroup[];
}

export function timeChartOption(picture: TimeChartPicture): EChartsCoreOption {
  const { layers, range } = picture;
  const text = axisFont();
  const peak = peakOf(layers, range);
  const drawn = layers.filter((layer) => layer.kind !== 'threshold' || layer.value <= peak * farAbove);
  const rightLayer = layers.find((layer) => layer.kind === 'line' && layer.isOnRight === true);
  return {
    animation: false,
    backgroundColor: 'transparent',
    grid: { ...margin, containLabel: false },
    xAxis: timeAxis(range, picture.width),
    yAxis: [
      leftAxis(picture, text),
      ...(rightLayer === undefined ? [] : [rightAxis(rightLayer.metric, text)]),
    ],
    series: [
      ...drawn.map((layer) => {
        switch (layer.kind) {
          case 'line':
            return lineSeries(layer, range);
          case 'band':
            return bandSeries(layer, picture);
          case 'threshold':
            return thresholdSeries(layer, range);
          default:
            return layer satisfies never;
        }
      }),
      ...(picture.marks === undefined || picture.marks.length === 0
        ? []
        : [marksSeries(picture.marks, range)]),
    ],
  };
}

export const axisFont = () => ({
  color: ink.colour('--text-3'),
  fontFamily: 'Inter Variable',
  fontSize: 10.5,
});

/** The run's time, in round steps of a clock. */
export function timeAxis(range: TimeRange, width: number): XAXisComponentOption {
  const span = range.toMs - range.fromMs;
  return {
    type: 'value',
    min: range.fromMs,
    max: range.toMs,
    axisLine: { lineStyle: { color: ink.colour('--line-strong') } },
    axisTick: { show: false },
    splitLine: { show: false },
    axisLabel: {
      ...axisFont(),
      margin: 5,
      customValues: clockTicks(range, niceInterval(span, width)),
      hideOverlap: true,
      formatter: (value: number) => clockText(value, span),
    },
  };
}

/** A threshold this many times above everything else would flatten it: it is then named in the legend only. */
export const farAbove = 1.6;

/** Largest value on the left axis within the range. */
export function peakOf(layers: readonly Layer[], range: TimeRange): number {
  const peaks = layers.flatMap((layer) => {
    if (layer.kind === 'threshold' || (layer.kind === 'line' && layer.isOnRight === true)) return [];
    const series = layer.kind === 'line' ? layer.series() : layer.upper();
    return series === undefined ? [] : [series.bucket(range.fromMs, range.toMs).max];
  });
  return Math.max(...peaks, 0);
}

/** Ends of a log axis: 1, 2 or 5 times a power of ten, just outside of the values. */
export function logExtent(low: number, high: number): { readonly min: number; readonly max: number } {
  const step = (value: number, isUp: boolean) => {
    const power = 10 ** Math.floor(Math.log10(value));
    const steps = [1, 2, 5, 10].map((factor) => factor * power);
    return (isUp ? steps.find((each) => each >= value) : steps.findLast((each) => each <= value)) ?? value;
  };
  const [from, to] = [step(low, false), step(high, true)];
  return from < to ? { min: from, max: to } : { min: from / 2, max: to * 2 };
}

/** Smallest positive value of the lines on the left axis within the range. */
function troughOf(layers: readonly Layer[], range: TimeRange): number {
  const troughs = layers.flatMap((layer) => {
    if (layer.kind !== 'line' || layer.isOnRight === true) return [];
    const min = layer.series()?.bucket(range.fromMs, range.toMs).min ?? 0;
    return min > 0 && Number.isFinite(min) ? [min] : [];
  });
  return Math.min(...troughs);
}

/** Round steps of a clock: 1, 2, 5, 10, 15, 30 s, 1, 2, 5, 10, 15, 30 min, 1 h … */
export function niceInterval(spanMs: number, widthPx: number): number {
  const wanted = (spanMs / Math.max(1, widthPx - margin.left - margin.right)) * 90;
  const steps = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3,
    1800e3, 3600e3, 7200e3,
  ];
  return steps.find((step) => step >= wanted) ?? Math.ceil(wanted / 3600e3) * 3600e3;
}

/** Multiples of the interval within the range; not so near the right end that the label would be cut. */
export function clockTicks({ fromMs, toMs }: TimeRange, interval: number): number[] {
  const ticks: number[] = [];
  for (let tick = Math.ceil(fromMs / interval) * interval; tick <= toMs; tick += interval) ticks.push(tick);
  return ticks;
}

type AxisText = NonNullable<YAXisComponentOption['axisLabel']>;

function leftAxis(
  { metric, isLog, height, max, layers, range }: TimeChartPicture,
  text: AxisText,
): YAXisComponentOption {
  const [low, high] = [troughOf(layers, range), peakOf(layers, range)];
  const logEnds = Number.isFinite(low) && high > 0 ? logExtent(low, high) : {};
  return {
    type: isLog ? 'log' : 'value',
    ...(isLog ? logEnds : { min: 0 }),
    ...(max === undefined ? {} : { max, interval: max / 2 }),
    axisTick: { show: false },
    axisLine: { show: false },
    splitNumber: Math.max(2, Math.round(height / 40)),
    axisLabel: {
      ...text,
      margin: 6,
      verticalAlignMinLabel: 'bottom',
      hideOverlap: true,
      formatter: (value: number) => axisText(metric, value),
    },
    splitLine: { lineStyle: { color: ink.colour('--grid') } },
  } as YAXisComponentOption;
}

function rightAxis(metric: string, text: AxisText): YAXisComponentOption {
  return {
    type: 'value',
    position: 'right',
    min: 0,
    max: 1,
    interval: 0.5,
    axisTick: { show: false },
    axisLine: { show: false },
    axisLabel: {
      ...text,
      margin: 5,
      verticalAlignMinLabel: 'bottom',
      formatter: (value: number) => axisText(metric, value),
    },
    splitLine: { show: false },
  } as YAXisComponentOption;
}

function lineSeries(layer: LineLayer, range: TimeRange): LineSeriesOption {
  const series = layer.series();
  return {
    type: 'line',
    id: layer.id,
    data: (series?.within(range.fromMs, range.toMs) ?? new Float64Array(0)) as unknown as number[],
    dimensions: ['t', 'v'],
    sampling: 'minmax',
    symbol: 'none',
    silent: true,
    yAxisIndex: layer.isOnRight === true ? 1 : 0,
    ...(layer.isStep === true ? { step: 'end' as const } : {}),
    lineStyle: {
      color: ink.faint(layer.token, layer.isFaint === true ? 0.7 : 1),
      width: layer.isFaint === true ? 1 : 1.5,
      type: layer.isDashed === true ? [4, 3] : 'solid',
    },
    ...(layer.isFilled === true ? { areaStyle: { color: ink.faint(layer.token, 0.14) } } : {}),
    z: layer.isFaint === true ? 2 : 3,
  };
}

function bandSeries(layer: BandLayer, { range, width, isSimulated }: TimeChartPicture): CustomSeriesOption {
  const lower = layer.lower();
  const upper = layer.upper();
  const outline =
    lower === undefined || upper === undefined
      ? []
      : bandOutline(lower, upper, range.fromMs, range.toMs, width - margin.left - margin.right);
  return {
    type: 'custom',
    id: layer.id,
    data: outline.length === 0 ? [] : [outline[0] as [number, number]],
    silent: true,
    clip: true,
    z: 1,
    renderItem: (_params, api) => {
      const points = outline.map(([time, value]) => api.coord([time, value]));
      const area = { type: 'polygon' as const, shape: { points }, silent: true };
      const fill = { ...area, style: { fill: ink.faint(layer.token, layer.opacity) } };
      if (!isSimulated) return fill;
      const image = ink.hatch(layer.token, layer.opacity * 0.6);
      return {
        type: 'group' as const,
        children: [fill, { ...area, style: { fill: { image, repeat: 'repeat' as const } } }],
      };
    },
  } as CustomSeriesOption;
}

function thresholdSeries(layer: ThresholdLayer, range: TimeRange): LineSeriesOption {
  return {
    type: 'line',
    id: layer.id,
    data: [
      [range.fromMs, layer.value],
      [range.toMs, layer.value],
    ],
    symbol: 'none',
    silent: true,
    lineStyle: { color: ink.colour(layer.token), width: 1, type: [5, 4] },
    z: 4,
  };
}
