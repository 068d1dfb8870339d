import { useEffect, useRef } from 'react';
import { formatMetric, metricParts } from '../../workloads/metrics/format.ts';
import { copy } from '../state/actions.ts';
import { clockText, pushRange, type TimeRange, zoomRange } from '../state/timeRange.ts';
import { useWorkbench } from '../state/workbench.ts';
import styles from './Chart.module.css';
import { type Layer, seriesOf } from './layers.ts';
import { margin } from './timeChartOption.ts';

interface TimeOverlayProps {
  readonly id: string;
  readonly layers: readonly Layer[];
  readonly range: () => TimeRange;
  readonly whole: () => TimeRange;
  readonly source: string;
  /** Further lines of the tooltip at this time, on a chart of this width. */
  readonly notes?: (timeMs: number, widthPx: number) => readonly string[];
}

/** Pointer, cursor line, brush and tooltip of one chart; moves elements directly and draws nothing anew. */
export function TimeOverlay({ id, layers, range, whole, source, notes }: TimeOverlayProps) {
  const workbench = useWorkbench();
  const area = useRef<HTMLDivElement>(null);
  const line = useRef<HTMLDivElement>(null);
  const brush = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const current = useRef({ layers, range, whole, source, notes });
  current.current = { layers, range, whole, source, notes };

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
      fillTip(tip.current, timeMs, current.current, element.clientWidth);
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
    // Another range puts another time under the pointer: the cursor comes back with the next move.
    const unrange = store.subscribe((state, before) => {
      if (state.ranges !== before.ranges) cursor.move(undefined, undefined);
    });
    return () => {
      stop.abort();
      unmove();
      unrange();
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

type Tip = Pick<TimeOverlayProps, 'layers' | 'range' | 'source'> & {
  readonly notes: TimeOverlayProps['notes'] | undefined;
};

/** Label, value, and the extremes and count of what one pixel column holds. */
function fillTip(
  tip: HTMLElement,
  timeMs: number,
  { layers, range, source, notes }: Tip,
  widthPx: number,
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
  const said = (notes?.(timeMs, widthPx) ?? []).map((text) => {
    const line = document.createElement('div');
    line.textContent = text;
    return line;
  });
  tip.replaceChildren(...said, table, foot);
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
