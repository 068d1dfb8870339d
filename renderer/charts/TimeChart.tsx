import { useEffect, useRef } from 'react';
import { formatMetric, metricParts } from '../../workloads/metrics/format.ts';
import { copy } from '../state/actions.ts';
import type { SampleSeries } from '../state/sampleSeries.ts';
import { clockText, pushRange, type TimeRange, zoomRange } from '../state/timeRange.ts';
import { useWorkbench } from '../state/workbench.ts';
import styles from './Chart.module.css';
import { ChartBox, type ReadOut } from './ChartBox.tsx';
import type { Chart } from './echarts.ts';
import type { Layer } from './layers.ts';
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
  /** Where the numbers come from, for the tooltip. */
  readonly source: string;
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
    return { points, last };
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
      overlay={<TimeOverlay id={id} layers={shown} range={range} whole={whole} source={source} />}
    />
  );
}

/** The line that gives a layer its value: itself, or the upper edge of a band. */
function seriesOf(layer: Layer): SampleSeries | undefined {
  if (layer.kind === 'line') return layer.series();
  return layer.kind === 'band' ? layer.upper() : undefined;
}

function legendText(layer: Layer, timeMs: number | undefined, peak: number): string {
  if (layer.kind === 'threshold')
    return `${formatMetric(layer.metric, layer.value)}${layer.value > peak * farAbove ? ' ↑' : ''}`;
  const series = seriesOf(layer);
  if (series === undefined || series.length === 0) return '–';
  const index = timeMs === undefined ? series.length - 1 : series.indexAt(timeMs);
  return formatMetric(layer.metric, index < 0 ? Number.NaN : series.valueAt(index));
}

interface TimeOverlayProps {
  readonly id: string;
  readonly layers: readonly Layer[];
  readonly range: () => TimeRange;
  readonly whole: () => TimeRange;
  readonly source: string;
}

/** Pointer, cursor line, brush and tooltip of one chart; moves elements directly and draws nothing anew. */
function TimeOverlay({ id, layers, range, whole, source }: TimeOverlayProps) {
  const workbench = useWorkbench();
  const area = useRef<HTMLDivElement>(null);
  const line = useRef<HTMLDivElement>(null);
  const brush = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const current = useRef({ layers, range, whole, source });
  current.current = { layers, range, whole, source };

  useEffect(() => {
    const element = area.current;
    if (element === null) return;
    const { cursor, window: store } = workbench;
    const stop = new AbortController();
    let downAt: number | undefined;

    const timeAt = (clientX: number) => {
      const { left, width } = element.getBoundingClientRect();
      const { fromMs, toMs } = current.current.range();
      return fromMs + (Math.min(Math.max(clientX - left, 0), width) / Math.max(1, width)) * (toMs - fromMs);
    };
    const pixelAt = (timeMs: number) => {
      const { fromMs, toMs } = current.current.range();
      return ((timeMs - fromMs) / (toMs - fromMs)) * element.clientWidth;
    };
    const place = () => {
      const { timeMs, owner } = cursor;
      const x = timeMs === undefined ? -1 : pixelAt(timeMs);
      const isInside = x >= 0 && x <= element.clientWidth;
      if (line.current !== null) {
        line.current.style.visibility = isInside ? 'visible' : 'hidden';
        line.current.style.transform = `translateX(${Math.round(x)}px)`;
      }
      if (tip.current === null) return;
      const isOwner = isInside && owner === id && timeMs !== undefined;
      tip.current.style.visibility = isOwner ? 'visible' : 'hidden';
      if (!isOwner) return;
      fillTip(tip.current, timeMs, current.current);
      const isLeftHalf = x < element.clientWidth / 2;
      tip.current.style.left = isLeftHalf ? `${x + 12}px` : 'auto';
      tip.current.style.right = isLeftHalf ? 'auto' : `${element.clientWidth - x + 12}px`;
    };
    const showBrush = (from: number, to: number) => {
      if (brush.current === null) return;
      const [a, b] = [pixelAt(Math.min(from, to)), pixelAt(Math.max(from, to))];
      brush.current.style.visibility = b - a > 3 ? 'visible' : 'hidden';
      brush.current.style.transform = `translateX(${a}px)`;
      brush.current.style.width = `${b - a}px`;
    };
    const on = <K extends keyof HTMLElementEventMap>(type: K, act: (event: HTMLElementEventMap[K]) => void) =>
      element.addEventListener(type, act, { signal: stop.signal, passive: false });

    on('pointermove', (event) => {
      const time = timeAt(event.clientX);
      cursor.move(time, id);
      if (downAt !== undefined) showBrush(downAt, time);
    });
    on('pointerleave', () => {
      if (downAt === undefined) cursor.move(undefined, undefined);
    });
    on('pointerdown', (event) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      downAt = timeAt(event.clientX);
    });
    on('pointerup', (event) => {
      if (downAt === undefined) return;
      const [from, to] = [downAt, timeAt(event.clientX)];
      downAt = undefined;
      if (brush.current !== null) brush.current.style.visibility = 'hidden';
      if (Math.abs(pixelAt(to) - pixelAt(from)) > 3)
        store.setState(({ ranges }) => ({ ranges: pushRange(ranges, from, to) }));
      else copyValue(workbench, current.current.layers, to);
    });
    on('wheel', (event) => {
      if (event.deltaY === 0 || event.ctrlKey) return;
      event.preventDefault();
      const about = timeAt(event.clientX);
      store.setState(({ ranges }) => ({
        ranges: zoomRange(ranges, current.current.whole(), about, event.deltaY > 0 ? 1.25 : 0.8),
      }));
      place();
    });
    on('dblclick', () => store.setState({ ranges: [] }));
    const unmove = cursor.onMove(place);
    return () => {
      stop.abort();
      unmove();
      if (cursor.owner === id) cursor.move(undefined, undefined);
    };
  }, [workbench, id]);

  return (
    <div ref={area} className={styles.overlay} style={{ left: margin.left, right: margin.right }}>
      <div ref={line} className={styles.cursor} />
      <div ref={brush} className={styles.brush} />
      <div ref={tip} className={styles.tip} role="tooltip" />
    </div>
  );
}

function copyValue(
  workbench: ReturnType<typeof useWorkbench>,
  layers: readonly Layer[],
  timeMs: number,
): void {
  const layer = layers.find((each) => each.kind === 'line');
  const series = layer === undefined ? undefined : seriesOf(layer);
  const index = series?.indexAt(timeMs) ?? -1;
  if (layer === undefined || series === undefined || index < 0) return;
  void copy(
    workbench,
    `${layer.label}\t${series.valueAt(index)}\t${metricParts(layer.metric, 1, true).unit}\tt=${series.timeAt(index)} ms`,
    'Value copied',
  );
}

/** Label, value, and the extremes and count of what one pixel column holds. */
function fillTip(
  tip: HTMLElement,
  timeMs: number,
  { layers, range, source }: Omit<TimeOverlayProps, 'id' | 'whole'>,
): void {
  const { fromMs, toMs } = range();
  const half = (toMs - fromMs) / 1600;
  const table = document.createElement('table');
  for (const layer of layers) {
    const row = table.insertRow();
    const cells = [layer.label, ...tipValues(layer, timeMs, half)];
    for (const text of cells) row.insertCell().textContent = text;
  }
  const foot = document.createElement('div');
  foot.className = styles.tipFoot ?? '';
  foot.textContent = `t = ${clockText(timeMs, toMs - fromMs)} · ${source}`;
  tip.replaceChildren(table, foot);
}

function tipValues(layer: Layer, timeMs: number, half: number): string[] {
  if (layer.kind === 'threshold') return [formatMetric(layer.metric, layer.value)];
  const series = seriesOf(layer);
  const index = series?.indexAt(timeMs) ?? -1;
  if (series === undefined || index < 0) return ['–'];
  const { n, min, max } = series.bucket(timeMs - half, timeMs + half);
  const value = formatMetric(layer.metric, series.valueAt(index));
  return n < 2
    ? [value]
    : [value, `${formatMetric(layer.metric, min)} … ${formatMetric(layer.metric, max)}`, `n ${n}`];
}
