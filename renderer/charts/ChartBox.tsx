import { ActionIcon, Menu } from '@mantine/core';
import { IconCamera } from '@tabler/icons-react';
import { type ReactNode, useEffect, useEffectEvent, useRef } from 'react';
import { saveChart } from '../state/actions.ts';
import type { Drawable } from '../state/frameScheduler.ts';
import type { TimeRange } from '../state/timeRange.ts';
import { useWorkbench } from '../state/workbench.ts';
import styles from './Chart.module.css';
import { ink } from './chartInk.ts';
import { type Chart, makeChart } from './echarts.ts';
import { drawingOf, type PictureHead, pictureOf } from './picture.ts';
import { SimulatedBadge } from './SimulatedBadge.tsx';

/** Figures of a drawing for tests and screen readers. */
export interface ReadOut {
  readonly points: number;
  readonly last: number;
  /** Lines that mark what happened to the cluster. */
  readonly marks?: number;
  /** Of a chart over time: what its axis shows. */
  readonly range?: TimeRange;
}

interface ChartBoxProps {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly height: number;
  readonly isSimulated: boolean;
  readonly legend: PictureHead['legend'];
  readonly legendNode?: ReactNode;
  /** Sets the chart's options; called by the frame scheduler only. */
  readonly draw: (chart: Chart) => ReadOut;
  /** Says when there is something new to draw. */
  readonly subscribe?: (changed: () => void, changedByUser: () => void) => () => void;
  readonly overlay?: ReactNode;
}

const readOutEveryMs = 500;

/** A chart's place on the page: title line, canvas, visibility, size, picture, read-out. What it draws is given. */
export function ChartBox({
  id,
  title,
  unit,
  height,
  isSimulated,
  legend,
  legendNode,
  draw,
  subscribe,
  overlay,
}: ChartBoxProps) {
  const workbench = useWorkbench();
  const mount = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLElement>(null);
  const marker = useRef<() => void>(undefined);
  const drawNow = useEffectEvent((chart: Chart) => draw(chart));
  const head = useEffectEvent((): PictureHead => ({ title, unit, isSimulated, legend }));
  const listen = useEffectEvent((changed: () => void, byUser: () => void) => subscribe?.(changed, byUser));

  useEffect(() => {
    const element = mount.current;
    const outer = box.current;
    if (element === null || outer === null) return;
    const chart = makeChart(element);
    const stop = new AbortController();
    let isVisible = false;
    let readOutTimer: ReturnType<typeof setTimeout> | undefined;
    let readOut: ReadOut = { points: 0, last: Number.NaN };
    const drawable: Drawable = {
      get isVisible() {
        return isVisible && !document.hidden;
      },
      draw() {
        readOut = drawNow(chart);
        const { range } = readOut;
        if (range !== undefined) {
          const text = `${range.fromMs} ${range.toMs}`;
          if (outer.dataset['range'] !== text) outer.dataset['range'] = text;
        }
        readOutTimer ??= setTimeout(() => {
          readOutTimer = undefined;
          outer.dataset['points'] = String(readOut.points);
          outer.dataset['marks'] = String(readOut.marks ?? 0);
          outer.dataset['last'] = Number.isFinite(readOut.last) ? String(readOut.last) : '';
        }, readOutEveryMs);
      },
    };
    const { scheduler } = workbench;
    const changed = () => scheduler.mark(drawable);
    const byUser = () => scheduler.markUrgent(drawable);
    marker.current = byUser;
    const seen = new IntersectionObserver(([entry]) => {
      isVisible = entry?.isIntersecting === true;
      if (isVisible) byUser();
    });
    seen.observe(element);
    const sized = new ResizeObserver(() => {
      chart.resize();
      byUser();
    });
    sized.observe(element);
    document.addEventListener('visibilitychange', byUser, { signal: stop.signal });
    const unlisten = listen(changed, byUser);
    const scheme = new MutationObserver(() => {
      ink.forget();
      byUser();
    });
    scheme.observe(document.documentElement, {
      attributeFilter: ['data-mantine-color-scheme', 'data-palette'],
    });
    const unshelve = workbench.charts.add({
      id,
      title: head().title,
      picture: async (format) =>
        format === 'png'
          ? pictureOf(chart, head())
          : drawingOf(
              (drawing) => void drawNow(drawing),
              { width: chart.getWidth(), height: chart.getHeight() },
              head(),
            ),
    });
    return () => {
      stop.abort();
      seen.disconnect();
      sized.disconnect();
      scheme.disconnect();
      unlisten?.();
      unshelve();
      clearTimeout(readOutTimer);
      scheduler.forget(drawable);
      chart.dispose();
    };
  }, [workbench, id]);

  // New props may mean a new picture.
  useEffect(() => marker.current?.());

  return (
    <figure
      className={styles.box}
      ref={box}
      data-testid={`chart-${id}`}
      data-chart={id}
      aria-label={`${title}${unit === '' ? '' : `, ${unit}`}`}
    >
      <figcaption className={styles.head}>
        <span className={styles.title}>{title}</span>
        {unit !== '' && <span className={styles.unit}>{unit}</span>}
        {isSimulated && <SimulatedBadge />}
        <span className={styles.legend}>{legendNode}</span>
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon
              size={20}
              className={styles.action ?? ''}
              aria-label={`Save ${title}`}
              title="Save this chart"
            >
              <IconCamera size={13} stroke={1.6} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => void saveChart(workbench, id, 'png')}>As PNG…</Menu.Item>
            <Menu.Item onClick={() => void saveChart(workbench, id, 'svg')}>As SVG…</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </figcaption>
      <div className={styles.plot} style={{ height }}>
        <div ref={mount} className={styles.canvas} />
        {overlay}
      </div>
    </figure>
  );
}
