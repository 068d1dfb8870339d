import { useEffect, useRef, useState } from 'react';
import type { RunKindId } from '../../../electron/contract/runKind.ts';
import type { RunDetail } from '../../state/runDetails.ts';
import { steppedEnd, type TimeRange } from '../../state/timeRange.ts';
import { useWindow, useWorkbench } from '../../state/workbench.ts';
import styles from './Live.module.css';
import { marksOf } from './liveMarks.ts';
import type { LiveSources, SharedAxis } from './livePanel.ts';
import { livePanels } from './livePanels.ts';

interface LiveChartsProps {
  readonly kind: RunKindId;
  readonly variant: string;
  readonly baselineVariant: string;
  readonly engine: string;
  readonly isLog: boolean;
  readonly detail: RunDetail | undefined;
}

/** The panels of a run, all on one time axis. */
export function LiveCharts({ kind, ...props }: LiveChartsProps) {
  const workbench = useWorkbench();
  const { live } = workbench;
  const sources: LiveSources = {
    kind,
    pools: useSources('pool:'),
    instances: useSources('instance:'),
    gpus: useSources('gpu:'),
    variants: useSources('variant:'),
  };
  useRefinement();
  const axis: SharedAxis = {
    isSimulated: props.engine === 'sim',
    whole: useWhole(),
    subscribe: (changed) =>
      live.onData(() => {
        if (!workbench.window.getState().frozen) changed();
      }),
    marks: () => marksOf(live.data),
  };
  return (
    <div className={styles.charts} data-testid="live-charts">
      {livePanels
        .filter(({ hasData }) => hasData(sources))
        .map(({ id, title, Component }) => (
          <Component key={id} {...props} title={title} sources={sources} axis={axis} />
        ))}
    </div>
  );
}

/** Sources come with the data; React is told when a new one appears. */
function useSources(prefix: string): readonly string[] {
  const { live } = useWorkbench();
  const [sources, setSources] = useState<readonly string[]>(() => live.data?.sources(prefix) ?? []);
  useEffect(() => {
    const look = () => {
      const next = live.data?.sources(prefix) ?? [];
      setSources((known) => (known.join() === next.join() ? known : next));
    };
    look();
    return live.onData(look);
  }, [live, prefix]);
  return sources;
}

/** All the time there is. */
function useWhole(): () => TimeRange {
  const { live, window: store, scheduler } = useWorkbench();
  /** Right end of the growing axis, and when it got there. */
  const step = useRef({ endMs: 0, at: 0 });
  return () => {
    const endMs = Math.max(1000, live.data?.endMs ?? 0);
    // A frozen axis ends with its data: up to the next step there would be room for what comes later.
    if (store.getState().frozen || live.store.getState().mode !== 'live')
      return { fromMs: 0, toMs: Math.max(endMs, live.baselineData?.endMs ?? 0) };
    // The next step waits until every chart shows this one, however late charts are drawn.
    const wanted = steppedEnd(endMs);
    const { current } = step;
    if (wanted !== current.endMs && scheduler.hasDrawnSince(current.at))
      step.current = { endMs: wanted, at: scheduler.now() };
    return { fromMs: 0, toMs: Math.max(step.current.endMs, live.baselineData?.endMs ?? 0) };
  };
}

/** A stored run is asked again at the resolution of the range. */
function useRefinement(): void {
  const { live } = useWorkbench();
  const range = useWindow((state) => state.ranges.at(-1));
  useEffect(() => {
    const timer = setTimeout(() => void live.refine(range), 150);
    return () => clearTimeout(timer);
  }, [live, range]);
}
