import type { EChartsCoreOption } from 'echarts';
import { ink } from './chartInk.ts';

export interface LaneRect {
  readonly lane: number;
  readonly start: number;
  readonly end: number;
  readonly token: string;
  readonly text: string;
  /** Several events that a pixel cannot keep apart. */
  readonly isJoined: boolean;
}

/** A frame around an event; the chosen one's is thicker. */
export interface LaneFrame {
  readonly lane: number;
  readonly start: number;
  readonly end: number;
  readonly isChosen: boolean;
}

/** A line from an event to one that it caused. */
export interface LaneArrow {
  readonly fromLane: number;
  readonly from: number;
  readonly toLane: number;
  readonly to: number;
}

export interface LanesPlot {
  readonly lanes: number;
  readonly from: number;
  readonly to: number;
  readonly rects: readonly LaneRect[];
  readonly ticks: readonly number[];
  readonly tickText: (value: number) => string;
  readonly frames?: readonly LaneFrame[];
  readonly arrows?: readonly LaneArrow[];
}

interface RenderApi {
  value(dimension: number): number;
  coord(point: readonly number[]): number[];
  size(extent: readonly number[]): number[];
}

/** Rectangles on lanes over a time axis. Each is at least one pixel wide; a joined one is drawn fainter. */
export function lanesOption({
  lanes,
  from,
  to,
  rects,
  ticks,
  tickText,
  frames = [],
  arrows = [],
}: LanesPlot): EChartsCoreOption {
  // A label at the very edge would be cut.
  const inside = ticks.filter((tick) => tick > from + (to - from) * 0.02 && tick < to - (to - from) * 0.03);
  const text = { color: ink.colour('--text-3'), fontFamily: 'Inter Variable', fontSize: 10.5 };
  return {
    animation: false,
    backgroundColor: 'transparent',
    // The overlay reckons with the whole width: labels at the edges must not shrink the grid.
    grid: { left: 0, right: 0, top: 20, bottom: 0, outerBoundsMode: 'none' },
    xAxis: {
      type: 'value',
      min: from,
      max: to,
      position: 'top',
      axisTick: { show: true, customValues: inside },
      axisLine: { lineStyle: { color: ink.colour('--line-strong') } },
      splitLine: { show: false },
      axisLabel: { ...text, margin: 5, customValues: inside, formatter: tickText, hideOverlap: true },
    },
    yAxis: { type: 'value', min: 0, max: Math.max(1, lanes), inverse: true, show: false },
    series: [
      {
        type: 'custom',
        silent: true,
        clip: true,
        encode: { x: [1, 2], y: 0 },
        data: rects.map((rect, index) => [rect.lane, rect.start, rect.end, index]),
        renderItem: (_parameters: unknown, api: RenderApi) => {
          const rect = rects[api.value(3)];
          const [x0 = 0, y0 = 0] = api.coord([Math.max(from, api.value(1)), api.value(0)]);
          const [x1 = 0] = api.coord([Math.min(to, api.value(2)), api.value(0)]);
          const height = (api.size([0, 1])[1] ?? 10) - 4;
          const width = Math.max(1, x1 - x0);
          const shape = { x: x0, y: y0 + 2, width, height };
          const token = rect?.token ?? '--series-1';
          const children: object[] = [
            { type: 'rect', shape, style: { fill: ink.faint(token, rect?.isJoined === true ? 0.45 : 0.85) } },
          ];
          if (width > 46 && rect !== undefined && rect.text !== '')
            children.push({
              type: 'text',
              style: {
                text: rect.text,
                x: x0 + 4,
                y: y0 + 2 + height / 2,
                verticalAlign: 'middle',
                fill: ink.colour('--bg'),
                font: '500 10.5px "Inter Variable", sans-serif',
                width: width - 8,
                overflow: 'truncate',
              },
            });
          return { type: 'group', children };
        },
      },
      framesSeries(from, to, frames),
      arrowsSeries(arrows),
    ],
  };
}

const framesSeries = (from: number, to: number, frames: readonly LaneFrame[]) => ({
  type: 'custom',
  silent: true,
  clip: true,
  z: 3,
  encode: { x: [1, 2], y: 0 },
  data: frames.map(({ lane, start, end, isChosen }) => [lane, start, end, isChosen ? 2 : 1]),
  renderItem: (_parameters: unknown, api: RenderApi) => {
    const [x0 = 0, y0 = 0] = api.coord([Math.max(from, api.value(1)), api.value(0)]);
    const [x1 = 0] = api.coord([Math.min(to, api.value(2)), api.value(0)]);
    const height = (api.size([0, 1])[1] ?? 10) - 2;
    const shape = { x: x0 - 1, y: y0 + 1, width: Math.max(3, x1 - x0 + 2), height };
    return {
      type: 'rect',
      shape,
      style: { fill: 'none', stroke: ink.colour('--text'), lineWidth: api.value(3) },
    };
  },
});

const arrowsSeries = (arrows: readonly LaneArrow[]) => ({
  type: 'custom',
  silent: true,
  clip: true,
  z: 3,
  encode: { x: [1, 3], y: 0 },
  data: arrows.map(({ fromLane, from, toLane, to }) => [fromLane, from, toLane, to]),
  renderItem: (_parameters: unknown, api: RenderApi) => {
    const [x1 = 0, y1 = 0] = api.coord([api.value(1), api.value(0) + 0.5]);
    const [x2 = 0, y2 = 0] = api.coord([api.value(3), api.value(2) + 0.5]);
    return {
      type: 'line',
      shape: { x1, y1, x2, y2 },
      style: { stroke: ink.colour('--text'), lineWidth: 1, lineDash: [3, 2], opacity: 0.8 },
    };
  },
});
