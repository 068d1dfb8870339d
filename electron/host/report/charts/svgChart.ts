import { createHash } from 'node:crypto';
import { BarChart, CustomChart, LineChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent, MarkPointComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { html, type Markup, printable, trusted } from '../markup.ts';

use([BarChart, CustomChart, LineChart, GridComponent, MarkLineComponent, MarkPointComponent, SVGRenderer]);

/**
 * One chart as inline SVG, drawn by ECharts without a DOM. Colours are the page's CSS variables: ECharts hands them through as
 * they are, so one drawing serves both colour schemes and paper. It scales with its column; `width` and `height` are its units.
 */
export function svgChart(
  option: EChartsCoreOption,
  size: { readonly width: number; readonly height: number },
  label: string,
): Markup {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: 'inherit' }, ...option });
    return html`<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${label}">${trusted(body(chart.renderToSVGString()))}</svg>`;
  } finally {
    chart.dispose();
  }
}

/**
 * What stands inside ECharts' own <svg>: ids made unique in the document, and the same in each rendering of the same chart;
 * positions to a tenth of a unit.
 */
function body(svg: string): string {
  const inner = printable(svg.slice(svg.indexOf('>') + 1, svg.lastIndexOf('</svg>')))
    .replace(/<style[\s\S]*?<\/style>/g, '')
    // Its hooks for scripts; the class names count on from one chart to the next. Text holds no bare quote, so none is touched.
    .replace(/ (?:class|pointer-events|ecmeta_\w+)="[^"]*"/g, '')
    .replace(/<path d="" [^>]*><\/path>/g, '')
    .replace(/\bzr\d+-/g, 'zr-')
    .replace(/ (d|points)="([^"]*)"/g, (_, name: string, numbers: string) => ` ${name}="${tenths(numbers)}"`);
  const id = createHash('sha1').update(inner).digest('hex').slice(0, 8);
  return inner.replaceAll('zr-', `c${id}-`);
}

const tenths = (numbers: string): string =>
  numbers.replace(/-?\d+\.\d+/g, (n) => String(Math.round(Number(n) * 10) / 10));
