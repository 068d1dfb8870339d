import { useRef } from 'react';
import { formatMetric, metricParts } from '../../workloads/metrics/format.ts';
import type { TimeRange } from '../state/timeRange.ts';
import { useWorkbench } from '../state/workbench.ts';
import styles from './Chart.module.css';
import { ChartBox, type ReadOut } from './ChartBox.tsx';
import { type ClusterMark, groupMarks, markText } from './clusterMarks.ts';
import type { Chart } from './echarts.ts';
import { type Layer, seriesOf } from './layers.ts';
import { TimeOverlay } from './TimeOverlay.tsx';
import { farAbove, margin, peakOf, timeChartOption } from './timeChartOption.ts';

interface TimeChartProps {
  readonly id: string;
  readonly title: string;
  /** Metric of the left axis. */
  readonly metric: string;
  readonly layers: readonly Layer[];
  readonly height: number;
  readonly isSimulated: boolean;
  readonly isLog?: boolean;
  readonly max?: number;
  /** The source of the numbers, for the tooltip. */
  readonly source: string;
  /** Events of the cluster: a line each, named in the tooltip. */
  readonly marks?: () => readonly ClusterMark[];
  /** All the time there is. */
  readonly whole: () => TimeRange;
  readonly subscribe: (changed: () => void) => () => void;
}

/** Lines and bands over the run's time, with the window's one cursor and one range. */
export function TimeChart(props: TimeChartProps) {
  const {
    id,
    title,
    metric,
    layers,
    height,
    isSimulated,
    isLog = false,
    max,
    source,
    marks,
    whole,
    subscribe,
  } = props;
  const workbench = useWorkbench();
  const values = useRef(new Map<string, HTMLElement>());
  const shown = layers.filter((layer) => layer.isQuiet !== true);

  const range = (): TimeRange => workbench.window.getState().ranges.at(-1) ?? whole();

  const writeLegend = () => {
    const { timeMs } = workbench.cursor;
    const peak = peakOf(layers, range());
    for (const layer of shown) {
      const element = values.current.get(layer.id);
      if (element !== undefined) element.textContent = legendText(layer, timeMs, peak);
    }
  };

  const draw = (chart: Chart): ReadOut => {
    const groups = groupMarks(marks?.() ?? [], range(), chart.getWidth() - margin.left - margin.right);
    chart.setOption(
      timeChartOption({
        layers,
        range: range(),
        isLog,
        isSimulated,
        width: chart.getWidth(),
        height,
        metric,
        max,
        marks: groups,
      }),
      { replaceMerge: ['series'], silent: true, lazyUpdate: false },
    );
    if (workbench.cursor.timeMs === undefined) writeLegend();
    const { fromMs, toMs } = range();
    let points = 0;
    let last = Number.NaN;
    for (const layer of layers) {
      if (layer.kind !== 'line' || layer.isFaint === true) continue;
      const series = layer.series();
      if (series === undefined) continue;
      const end = series.indexAt(toMs);
      points += Math.max(0, end + 1 - Math.max(0, series.indexAt(fromMs)));
      if (Number.isNaN(last)) last = series.valueAt(end);
    }
    return { points, last, marks: groups.length };
  };

  const listen = (changed: () => void, byUser: () => void) => {
    const stops = [
      subscribe(changed),
      workbench.cursor.onMove(writeLegend),
      workbench.window.subscribe((state, before) => {
        if (state.ranges !== before.ranges || state.frozen !== before.frozen) byUser();
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  };

  return (
    <ChartBox
      id={id}
      title={title}
      unit={metricParts(metric, 1, true).unit}
      height={height}
      isSimulated={isSimulated}
      legend={shown.map(({ label, token }) => ({ label, token }))}
      legendNode={shown.map((layer) => (
        <span key={layer.id} className={styles.legendItem}>
          <span
            className={styles.swatch}
            data-kind={layer.kind}
            data-dashed={layer.kind === 'line' && layer.isDashed === true}
            style={{
              color: `var(${layer.token})`,
              opacity: layer.kind === 'line' && layer.isFaint === true ? 0.5 : undefined,
            }}
          />
          {layer.label}
          {layer.kind !== 'band' && (
            <b
              ref={(element) => {
                if (element !== null) values.current.set(layer.id, element);
              }}
            />
          )}
        </span>
      ))}
      draw={draw}
      subscribe={listen}
      overlay={
        <TimeOverlay
          id={id}
          layers={shown}
          range={range}
          whole={whole}
          source={source}
          notes={(timeMs, widthPx) => notesAt(marks?.() ?? [], range(), timeMs, widthPx)}
        />
      }
    />
  );
}

/** The events near a time, within the width of the pointer. */
function notesAt(
  marks: readonly ClusterMark[],
  range: TimeRange,
  timeMs: number,
  widthPx: number,
): readonly string[] {
  const span = range.toMs - range.fromMs;
  const near = (span / Math.max(1, widthPx)) * 6;
  return groupMarks(marks, range, widthPx)
    .filter((group) => Math.abs(group.timeMs - timeMs) <= near)
    .map((group) => markText(group, span));
}

function legendText(layer: Layer, timeMs: number | undefined, peak: number): string {
  if (layer.kind === 'threshold')
    return `${formatMetric(layer.metric, layer.value)}${layer.value > peak * farAbove ? ' ↑' : ''}`;
  const series = seriesOf(layer);
  if (series === undefined || series.length === 0) return '–';
  const index = timeMs === undefined ? series.length - 1 : series.indexAt(timeMs);
  return formatMetric(layer.metric, index < 0 ? Number.NaN : series.valueAt(index));
}
