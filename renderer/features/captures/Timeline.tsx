import { useEffect, useRef, useState } from 'react';
import type { TimelineContents } from '../../../electron/contract/captures.ts';
import chartStyles from '../../charts/Chart.module.css';
import { ChartBox } from '../../charts/ChartBox.tsx';
import { lanesOption } from '../../charts/lanesOption.ts';
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
  /** Lanes drawn, from the top. */
  readonly mostLanes?: number;
}

/** Kernels, copies, ranges and calls over time. Wheel zooms, drag pans, double click shows all. */
export function Timeline({ id, capture, title, contents, mostLanes = 24 }: TimelineProps) {
  const { client } = useWorkbench();
  const whole: Span = { fromNs: contents.startNs, toNs: Math.max(contents.endNs, contents.startNs + 1) };
  const [span, setSpan] = useState(whole);
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

  // React's wheel listeners are passive: this one keeps the page in its place while it zooms.
  useEffect(() => {
    const element = area.current;
    if (element === null) return;
    const edges = { fromNs: contents.startNs, toNs: Math.max(contents.endNs, contents.startNs + 1) };
    const wheel = (event: WheelEvent) => {
      // Alone it scrolls the page, as over every chart.
      if (!(event.ctrlKey || event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) return;
      event.preventDefault();
      const { left, width } = element.getBoundingClientRect();
      setSpan((now) => {
        const length = now.toNs - now.fromNs;
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))
          return moved(now, edges, ((event.deltaX || event.deltaY) / width) * length);
        const at = now.fromNs + ((event.clientX - left) / width) * length;
        return zoomed(now, edges, at, Math.exp(event.deltaY * 0.0025));
      });
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, [contents.startNs, contents.endNs]);

  const hover = (event: { readonly clientX: number; readonly clientY: number } | undefined) => {
    const [element, box] = [tip.current, area.current?.getBoundingClientRect()];
    if (element === null || box === undefined) return;
    const nsPerPixel = (span.toNs - span.fromNs) / box.width;
    const x = (event?.clientX ?? 0) - box.left;
    const y = (event?.clientY ?? 0) - box.top;
    const lane = Math.floor(y / laneHeight);
    const block =
      event === undefined ? undefined : blockAt(blocks, lane, span.fromNs + x * nsPerPixel, nsPerPixel);
    element.style.visibility = block === undefined ? 'hidden' : 'visible';
    if (block === undefined) return;
    element.style.left = x < box.width / 2 ? `${x + 12}px` : 'auto';
    element.style.right = x < box.width / 2 ? 'auto' : `${box.width - x + 12}px`;
    element.style.top = `${Math.max(0, y - 10)}px`;
    element.textContent = [
      block.name === '' ? (lanes[lane]?.kind === 'copy' ? 'copy' : 'several names') : block.name,
      `${duration(block.endNs - block.startNs)}${block.events > 1 ? ` · ${block.events} events, zoom in to tell them apart` : ''}`,
      `from ${duration(block.startNs - whole.fromNs)} · ${lanes[lane]?.label ?? ''}`,
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
                ticks: ticksOf({ fromNs: span.fromNs - whole.fromNs, toNs: span.toNs - whole.fromNs }, 7).map(
                  (tick) => tick + whole.fromNs,
                ),
                tickText: (value) => duration(value - whole.fromNs),
              }),
              { notMerge: true, silent: true },
            );
            return { points: blocks.length, last: span.toNs };
          }}
          overlay={
            <div
              role="application"
              aria-label={`${title}: zoom and pan`}
              ref={area}
              className={`${chartStyles.overlay} ${styles.laneArea}`}
              onPointerMove={(event) => {
                const start = dragged.current;
                const width = area.current?.clientWidth ?? 1;
                if (start === undefined) hover(event);
                else {
                  const length = start.span.toNs - start.span.fromNs;
                  setSpan(moved(start.span, whole, ((start.x - event.clientX) / width) * length));
                }
              }}
              onPointerLeave={() => hover(undefined)}
              onPointerDown={(event) => {
                event.currentTarget.setPointerCapture(event.pointerId);
                dragged.current = { x: event.clientX, span };
                hover(undefined);
              }}
              onPointerUp={() => {
                dragged.current = undefined;
              }}
              onDoubleClick={() => setSpan(whole)}
            >
              <div ref={tip} className={`${chartStyles.tip} ${styles.tip}`} role="tooltip" />
            </div>
          }
        />
      </div>
    </div>
  );
}
