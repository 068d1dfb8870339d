import type { CustomSeriesOption } from 'echarts';
import { useRef } from 'react';
import { shortNames } from '../state/shortNames.ts';
import type { TimeRange } from '../state/timeRange.ts';
import { useWorkbench } from '../state/workbench.ts';
import styles from './Chart.module.css';
import { ChartBox, type ReadOut } from './ChartBox.tsx';
import { ink } from './chartInk.ts';
import type { Chart } from './echarts.ts';
import type { LineLayer } from './layers.ts';
import { stripCells } from './strip.ts';
import { TimeOverlay } from './TimeOverlay.tsx';
import { axisFont, margin, timeAxis } from './timeChartOption.ts';

interface StripChartProps {
  readonly id: string;
  readonly title: string;
  /** One row each; fractions 0..1. */
  readonly rows: readonly LineLayer[];
  readonly token: string;
  readonly isSimulated: boolean;
  readonly source: string;
  readonly whole: () => TimeRange;
  readonly subscribe: (changed: () => void) => () => void;
}

/** Characters that fit before the plot. */
const mostLabel = 8;
const rowHeight = 14;
const columnWidth = 3;

/** A fraction of many things over time: a row each, the fuller the stronger. */
export function StripChart({
  id,
  title,
  rows,
  token,
  isSimulated,
  source,
  whole,
  subscribe,
}: StripChartProps) {
  const workbench = useWorkbench();
  const range = (): TimeRange => workbench.window.getState().ranges.at(-1) ?? whole();
  const drawn = useRef<TimeRange>(undefined);
  const { labels, prefix } = shortNames(
    rows.map((row) => row.label),
    mostLabel,
  );
  const height = margin.top + margin.bottom + rows.length * rowHeight;

  const draw = (chart: Chart): ReadOut => {
    const shownRange = range();
    drawn.current = shownRange;
    const { fromMs, toMs } = shownRange;
    const width = chart.getWidth();
    const columns = Math.max(1, Math.floor((width - margin.left - margin.right) / columnWidth));
    const cells = rows.map((row) => {
      const series = row.series();
      return series === undefined || series.length === 0
        ? new Float64Array(columns).fill(Number.NaN)
        : stripCells(series, fromMs, toMs, columns);
    });
    const image = paint(cells, columns, token);
    const picture: CustomSeriesOption = {
      type: 'custom',
      id: 'strip',
      data: [[fromMs, 0]],
      silent: true,
      renderItem: () => ({
        type: 'image',
        silent: true,
        style: {
          image,
          x: margin.left,
          y: margin.top,
          width: width - margin.left - margin.right,
          height: rows.length * rowHeight,
        },
      }),
    };
    chart.setOption(
      {
        animation: false,
        backgroundColor: 'transparent',
        grid: { ...margin, containLabel: false },
        xAxis: timeAxis({ fromMs, toMs }, width),
        yAxis: {
          type: 'category',
          inverse: true,
          data: [...labels],
          axisTick: { show: false },
          axisLine: { show: false },
          axisLabel: { ...axisFont(), margin: 6, interval: 0 },
        },
        series: [picture],
      },
      { replaceMerge: ['series'], silent: true },
    );
    const points = cells.reduce((sum, row) => sum + row.filter(Number.isFinite).length, 0);
    return { points, last: rows[0]?.series()?.last ?? Number.NaN, range: shownRange };
  };

  return (
    <ChartBox
      id={id}
      title={prefix === '' ? title : `${title} ${prefix}…`}
      unit=""
      height={height}
      isSimulated={isSimulated}
      legend={[{ label: '0 to 100 %', token }]}
      legendNode={
        <span className={styles.legendItem}>
          0 %
          <span
            className={styles.ramp}
            style={{ background: `linear-gradient(to right, var(--surface-3), var(${token}))` }}
          />
          100 %
        </span>
      }
      draw={draw}
      subscribe={(changed, byUser) => {
        const stops = [
          subscribe(changed),
          workbench.window.subscribe((state, before) => {
            if (state.ranges !== before.ranges || state.frozen !== before.frozen) byUser();
          }),
        ];
        return () => {
          for (const stop of stops) stop();
        };
      }}
      overlay={
        <TimeOverlay
          id={id}
          layers={rows}
          range={() => drawn.current ?? range()}
          whole={whole}
          source={source}
        />
      }
    />
  );
}

/** One pixel per cell in an image of the whole strip, scaled up without smoothing by rows of two pixels. */
function paint(rows: readonly Float64Array[], columns: number, token: string): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = columns * columnWidth;
  canvas.height = rows.length * rowHeight;
  const pen = canvas.getContext('2d');
  if (pen === null) return canvas;
  pen.fillStyle = ink.colour('--surface-3');
  rows.forEach((row, index) => {
    row.forEach((value, column) => {
      if (Number.isNaN(value)) return;
      const y = index * rowHeight + 1;
      pen.globalAlpha = 1;
      pen.fillStyle = ink.colour('--surface-3');
      pen.fillRect(column * columnWidth, y, columnWidth, rowHeight - 2);
      pen.globalAlpha = Math.max(0, Math.min(1, value)) * 0.9;
      pen.fillStyle = ink.colour(token);
      pen.fillRect(column * columnWidth, y, columnWidth, rowHeight - 2);
    });
  });
  return canvas;
}
