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

export interface LanesPlot {
  readonly lanes: number;
  readonly from: number;
  readonly to: number;
  readonly rects: readonly LaneRect[];
  readonly ticks: readonly number[];
  readonly tickText: (value: number) => string;
}

interface RenderApi {
  value(dimension: number): number;
  coord(point: readonly number[]): number[];
  size(extent: readonly number[]): number[];
}

/** Rectangles on lanes over a time axis. Each is at least one pixel wide; a joined one is drawn fainter. */
export function lanesOption({ lanes, from, to, rects, ticks, tickText }: LanesPlot): EChartsCoreOption {
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
    ],
  };
}
