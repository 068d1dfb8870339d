import { lazy, Suspense } from 'react';
import { useStore } from 'zustand';
import { Home } from '../features/home/Home.tsx';
import type { ViewId } from '../state/views.ts';
import { useWindow, useWorkbench } from '../state/workbench.ts';
import { ErrorBoundary } from '../ui/ErrorBoundary.tsx';
import styles from './Frame.module.css';
import { HostBanner } from './HostBanner.tsx';
import { Inspector } from './Inspector.tsx';
import { LogPanel } from './LogPanel.tsx';
import { Rail } from './Rail.tsx';
import { RunBar } from './RunBar.tsx';
import { StatusStrip } from './StatusStrip.tsx';

// Home is drawn with the first frame; the others come when they are first wanted, so that start stays short.
const viewOf: Readonly<Record<ViewId, React.ComponentType>> = {
  home: Home,
  run: lazy(() => import('../features/run/Run.tsx').then((module) => ({ default: module.Run }))),
  live: lazy(() => import('../features/live/Live.tsx').then((module) => ({ default: module.Live }))),
  compare: lazy(() =>
    import('../features/compare/Compare.tsx').then((module) => ({ default: module.Compare })),
  ),
  sweeps: lazy(() => import('../features/sweep/Sweep.tsx').then((module) => ({ default: module.Sweep }))),
  queues: lazy(() => import('../features/queue/Queue.tsx').then((module) => ({ default: module.Queue }))),
  roofline: lazy(() =>
    import('../features/roofline/Roofline.tsx').then((module) => ({ default: module.Roofline })),
  ),
  captures: lazy(() =>
    import('../features/captures/Captures.tsx').then((module) => ({ default: module.Captures })),
  ),
  history: lazy(() =>
    import('../features/history/History.tsx').then((module) => ({ default: module.History })),
  ),
  doctor: lazy(() => import('../features/doctor/Doctor.tsx').then((module) => ({ default: module.Doctor }))),
};

const Overlays = lazy(() => import('./Overlays.tsx').then((module) => ({ default: module.Overlays })));

/** Views whose inspector has something to say. */
const inspected: ReadonlySet<ViewId> = new Set(['run', 'live', 'compare']);

export function Frame() {
  const { settings } = useWorkbench();
  const view = useWindow((state) => state.view);
  const logOpen = useWindow((state) => state.logOpen);
  const inspectorOpen = useStore(settings, (state) => state.inspectorOpen);
  const View = viewOf[view];
  const hasInspector = inspectorOpen && inspected.has(view);
  return (
    <div className={styles.frame} data-testid="frame" data-view={view}>
      <RunBar />
      <HostBanner />
      <div className={styles.middle}>
        <Rail />
        <main className={styles.view} aria-label={view}>
          <ErrorBoundary key={view}>
            <Suspense fallback={null}>
              <View />
            </Suspense>
          </ErrorBoundary>
        </main>
        {hasInspector && <Inspector />}
      </div>
      {logOpen && <LogPanel />}
      <StatusStrip />
      <Suspense fallback={null}>
        <Overlays />
      </Suspense>
    </div>
  );
}
