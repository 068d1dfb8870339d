import { useEffect, useEffectEvent, useRef, useState } from 'react';
import type { EventLinks, TimelineContents } from '../../../electron/contract/captures.ts';
import chartStyles from '../../charts/Chart.module.css';
import { ChartBox } from '../../charts/ChartBox.tsx';
import { type LanesPlot, lanesOption } from '../../charts/lanesOption.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { duration } from '../roofline/PointInspector.tsx';
import styles from './Captures.module.css';
import {
  blockAt,
  blocksOf,
  type LaneBlock,
  laneHeight,
  laneLabel,
  laneToken,
  moved,
  type Span,
  ticksOf,
  zoomed,
} from './lanes.ts';

interface TimelineProps {
  readonly id: string;
  readonly capture: string;
  readonly title: string;
  readonly contents: TimelineContents;
  /** What can be shown at most, and what is shown, on the recording's clock. */
  readonly whole: Span;
  readonly span: Span;
  readonly onSpan: (change: (now: Span) => Span) => void;
  /** Lanes drawn, from the top. */
  readonly mostLanes?: number;
  /** The chosen event and those that belong to it. */
  readonly links?: EventLinks | undefined;
  /** A click on an event; undefined where there is none. Absent: nothing can be chosen. */
  readonly onPick?: (block: LaneBlock | undefined) => void;
}

/** A pointer that moved no further has clicked. */
const clickPixels = 3;

/** The recording from its start to its end. */
export const wholeOf = ({ startNs, endNs }: TimelineContents): Span => ({
  fromNs: startNs,
  toNs: Math.max(endNs, startNs + 1),
});

/** Kernels, copies, ranges and calls over time. Wheel zooms, drag pans, double click shows all. */
export function Timeline({
  id,
  capture,
  title,
  contents,
  whole,
  span,
  onSpan,
  mostLanes = 24,
  links,
  onPick,
}: TimelineProps) {
  const { client } = useWorkbench();
  const [blocks, setBlocks] = useState<readonly LaneBlock[]>([]);
  const area = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const dragged = useRef<{ readonly x: number; readonly span: Span }>(undefined);
  const lanes = contents.rows.slice(0, mostLanes);

  useEffect(() => {
    let isCurrent = true;
    const width = Math.round(area.current?.clientWidth ?? 800);
    client
      .request('captures.timeline', {
        capture,
        from_ns: span.fromNs,
        to_ns: span.toNs,
        width: Math.max(10, width),
      })
      .then(
        (slice) => {
          if (isCurrent) setBlocks(blocksOf(slice));
        },
        (thrown: unknown) => client.note(thrown),
      );
    return () => {
      isCurrent = false;
    };
  }, [client, capture, span.fromNs, span.toNs]);

  const { fromNs: wholeFromNs, toNs: wholeToNs } = whole;
  const change = useEffectEvent((how: (now: Span) => Span) => onSpan(how));
  // React's wheel listeners are passive: this one keeps the page in its place while it zooms.
  useEffect(() => {
    const element = area.current;
    if (element === null) return;
    const edges = { fromNs: wholeFromNs, toNs: wholeToNs };
    const wheel = (event: WheelEvent) => {
      // Alone it scrolls the page, as over every chart.
      if (!(event.ctrlKey || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) return;
      event.preventDefault();
      const { left, width } = element.getBoundingClientRect();
      change((now) => {
        const length = now.toNs - now.fromNs;
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
          return moved(now, edges, ((event.deltaX || event.deltaY) / width) * length);
        const at = now.fromNs + ((event.clientX - left) / width) * length;
        return zoomed(now, edges, at, Math.exp(event.deltaY * 0.0025));
      });
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, [wholeFromNs, wholeToNs]);

  const under = (event: { readonly clientX: number; readonly clientY: number }): LaneBlock | undefined => {
    const box = area.current?.getBoundingClientRect();
    if (box === undefined) return undefined;
    const nsPerPixel = (span.toNs - span.fromNs) / box.width;
    const lane = Math.floor((event.clientY - box.top) / laneHeight);
    if (lane >= lanes.length) return undefined;
    return blockAt(blocks, lane, span.fromNs + (event.clientX - box.left) * nsPerPixel, nsPerPixel);
  };
  const hover = (event: { readonly clientX: number; readonly clientY: number } | undefined) => {
    const [element, box] = [tip.current, area.current?.getBoundingClientRect()];
    if (element === null || box === undefined) return;
    const x = (event?.clientX ?? 0) - box.left;
    const y = (event?.clientY ?? 0) - box.top;
    const block = event === undefined ? undefined : under(event);
    const lane = block?.lane ?? 0;
    element.style.visibility = block === undefined ? 'hidden' : 'visible';
    if (block === undefined) return;
    element.style.left = x < box.width / 2 ? `${x + 12}px` : 'auto';
    element.style.right = x < box.width / 2 ? 'auto' : `${box.width - x + 12}px`;
    element.style.top = `${Math.max(0, y - 10)}px`;
    element.textContent = [
      block.name === '' ? (lanes[lane]?.kind === 'copy' ? 'copy' : 'several names') : block.name,
      `${duration(block.endNs - block.startNs)}${block.events > 1 ? ` · ${block.events} events, zoom in to tell them apart` : ''}`,
      `from ${duration(block.startNs - contents.startNs)} · ${lanes[lane]?.label ?? ''}`,
    ].join('\n');
  };

  const height = lanes.length * laneHeight;
  return (
    <div
      className={styles.timeline}
      data-from={span.fromNs}
      data-to={span.toNs}
      data-testid={`timeline-${id}`}
    >
      <ol className={styles.lanes} style={{ gridAutoRows: laneHeight }}>
        {lanes.map((lane) => (
          <li key={lane.id} title={`${lane.label}: ${lane.events} events`}>
            {laneLabel(lane.label)}
          </li>
        ))}
      </ol>
      <div className={styles.lanePlot}>
        <ChartBox
          id={`timeline-${id}`}
          title={title}
          unit={`${duration(span.toNs - span.fromNs)} shown · Ctrl and wheel zooms, drag pans, double click shows all`}
          height={height + 20}
          isSimulated={false}
          legend={[]}
          draw={(chart) => {
            chart.setOption(
              lanesOption({
                lanes: lanes.length,
                from: span.fromNs,
                to: span.toNs,
                rects: blocks
                  .filter(({ lane }) => lane < lanes.length)
                  .map((block) => ({
                    lane: block.lane,
                    start: block.startNs,
                    end: block.endNs,
                    token: laneToken(lanes[block.lane]?.kind ?? 'os', block.name),
                    text: block.name,
                    isJoined: block.events > 1,
                  })),
                ticks: ticksOf(
                  { fromNs: span.fromNs - contents.startNs, toNs: span.toNs - contents.startNs },
                  7,
                ).map((tick) => tick + contents.startNs),
                tickText: (value) => duration(value - contents.startNs),
                ...marksOf(links, lanes.length),
              }),
              { notMerge: true, silent: true },
            );
            return { points: blocks.length, last: span.toNs };
          }}
          overlay={
            <div
              role="application"
              aria-label={`${title}: zoom and pan`}
              aria-description="Plus and minus zoom, the arrow keys pan, Home shows all"
              // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes the keys that its description names
              tabIndex={0}
              onKeyDown={(event) => {
                const change = keyChange(event.key, whole);
                if (change === undefined) return;
                event.preventDefault();
                event.stopPropagation();
                onSpan(change);
              }}
              ref={area}
              className={`${chartStyles.overlay} ${styles.laneArea}`}
              onPointerMove={(event) => {
                const start = dragged.current;
                const width = area.current?.clientWidth ?? 1;
                if (start === undefined) hover(event);
                else {
                  const length = start.span.toNs - start.span.fromNs;
                  const by = ((start.x - event.clientX) / width) * length;
                  onSpan(() => moved(start.span, whole, by));
                }
              }}
              onPointerLeave={() => hover(undefined)}
              onPointerDown={(event) => {
                event.currentTarget.setPointerCapture(event.pointerId);
                dragged.current = { x: event.clientX, span };
                hover(undefined);
              }}
              onPointerUp={(event) => {
                const start = dragged.current;
                dragged.current = undefined;
                if (start === undefined || Math.abs(event.clientX - start.x) > clickPixels) return;
                onPick?.(under(event));
              }}
              onDoubleClick={() => onSpan(() => whole)}
            >
              <div ref={tip} className={`${chartStyles.tip} ${styles.tip}`} role="tooltip" />
            </div>
          }
        />
      </div>
    </div>
  );
}

/** What a key does to the part that is shown. */
function keyChange(key: string, whole: Span): ((now: Span) => Span) | undefined {
  const zoom = (factor: number) => (now: Span) => zoomed(now, whole, (now.fromNs + now.toNs) / 2, factor);
  const pan = (share: number) => (now: Span) => moved(now, whole, (now.toNs - now.fromNs) * share);
  switch (key) {
    case '+':
    case '=':
      return zoom(0.5);
    case '-':
      return zoom(2);
    case 'ArrowLeft':
      return pan(-0.2);
    case 'ArrowRight':
      return pan(0.2);
    case 'Home':
      return () => whole;
    default:
      return undefined;
  }
}

/** Frames around the chosen event and its own, and a line from each launch call to its kernel. */
function marksOf(links: EventLinks | undefined, lanes: number): Pick<LanesPlot, 'frames' | 'arrows'> {
  if (links === undefined) return {};
  const { chosen } = links;
  const shown = [chosen, ...links.linked].filter(({ lane }) => lane < lanes);
  const calls = shown.filter(({ kind }) => kind === 'api');
  const kernels = shown.filter(({ kind }) => kind === 'kernel');
  // A range holds many calls: which kernel is whose is shown where one of the two was chosen.
  const isPaired = chosen.kind === 'kernel' || chosen.kind === 'api';
  return {
    frames: shown.map((event) => ({
      lane: event.lane,
      start: event.startNs,
      end: event.endNs,
      isChosen: event === chosen,
    })),
    arrows: isPaired
      ? calls.flatMap((call) =>
          kernels.map((kernel) => ({
            fromLane: call.lane,
            from: call.endNs,
            toLane: kernel.lane,
            to: kernel.startNs,
          })),
        )
      : [],
  };
}
