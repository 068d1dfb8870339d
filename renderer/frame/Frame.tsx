import { VisuallyHidden } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { useStore } from 'zustand';
import { viewList } from '../../electron/contract/views.ts';
import { useWindow, useWorkbench } from '../state/workbench.ts';
import { ErrorBoundary } from '../ui/ErrorBoundary.tsx';
import styles from './Frame.module.css';
import { HostBanner } from './HostBanner.tsx';
import { Inspector } from './Inspector.tsx';
import { LogPanel } from './LogPanel.tsx';
import { Rail } from './Rail.tsx';
import { RunBar } from './RunBar.tsx';
import { StatusStrip } from './StatusStrip.tsx';
import { views } from './views.tsx';

const Overlays = lazy(() => import('./Overlays.tsx').then((module) => ({ default: module.Overlays })));

const titles = new Map(viewList.map(({ id, title }) => [id, title]));

export function Frame() {
  const { settings } = useWorkbench();
  const view = useWindow((state) => state.view);
  const logOpen = useWindow((state) => state.logOpen);
  const inspectorOpen = useStore(settings, (state) => state.inspectorOpen);
  const { Component: View, isInspected = false } = views[view];
  const hasInspector = inspectorOpen && isInspected;
  return (
    <div className={styles.frame} data-testid="frame" data-view={view}>
      <RunBar />
      <HostBanner />
      <div className={styles.middle}>
        <Rail />
        <main className={styles.view} aria-label={view}>
          <VisuallyHidden component="h1">{titles.get(view)}</VisuallyHidden>
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
