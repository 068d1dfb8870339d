import { BarChart, CustomChart, LineChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { type ECharts, init, use } from 'echarts/core';
import { LabelLayout } from 'echarts/features';
import { CanvasRenderer, SVGRenderer } from 'echarts/renderers';

// Only what is drawn: tooltips, cursor, brush and legend are ours, so that moving the pointer redraws nothing.
use([LineChart, BarChart, CustomChart, GridComponent, LabelLayout, CanvasRenderer, SVGRenderer]);

export type Chart = ECharts;

export function makeChart(element: HTMLElement): Chart {
  return init(element, null, { renderer: 'canvas', devicePixelRatio: Math.max(1, window.devicePixelRatio) });
}

/** A chart that is on no page, for a drawing as SVG text; size in pixels. */
export const makeDrawing = (width: number, height: number): Chart =>
  init(null, null, { renderer: 'svg', ssr: true, width, height });
