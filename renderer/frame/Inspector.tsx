import { ActionIcon } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { useStore } from 'zustand';
import { findTarget } from '../state/catalogue.ts';
import { kindOf } from '../state/kinds/runKinds.ts';
import { useWindow, useWorkbench } from '../state/workbench.ts';
import { Markdown } from '../ui/Markdown.tsx';
import styles from './Frame.module.css';

const RequestInspector = lazy(() =>
  import('../features/compare/RequestInspector.tsx').then((module) => ({
    default: module.RequestInspector,
  })),
);
const RouterFeed = lazy(() =>
  import('../features/live/RouterFeed.tsx').then((module) => ({ default: module.RouterFeed })),
);

/** Shows the selected request; without a selection, the router's decisions of the run and the lesson of the target. */
export function Inspector() {
  const { window: store, live, runs } = useWorkbench();
  const selection = useWindow((state) => state.selection);
  const view = useWindow((state) => state.view);
  const run = useStore(live.store, (state) => state.run);
  const shown = useStore(runs, (state) => state.runs.find((each) => each.run === run));
  if (selection.kind === 'request')
    return (
      <aside className={styles.inspector} aria-label="Inspector">
        <div className={styles.inspectorHead}>
          <span className={styles.inspectorTitle}>Request {selection.request}</span>
          <ActionIcon
            size={22}
            aria-label="Close the request"
            onClick={() => store.setState({ selection: { kind: 'none' } })}
          >
            <IconX size={14} />
          </ActionIcon>
        </div>
        <div className={styles.inspectorBody}>
          <Suspense fallback={null}>
            <RequestInspector key={selection.request} {...selection} />
          </Suspense>
        </div>
      </aside>
    );
  const hasFeed = view === 'live' && (shown === undefined || kindOf(shown).hasRouter);
  return <Unselected key={`${view} ${shown?.target ?? ''}`} hasFeed={hasFeed} />;
}

function Unselected({ hasFeed }: { readonly hasFeed: boolean }) {
  const { form } = useWorkbench();
  const target = useStore(form, (state) => findTarget(state.target));
  const [tab, setTab] = useState<'feed' | 'lesson'>(hasFeed ? 'feed' : 'lesson');
  return (
    <aside className={styles.inspector} aria-label="Inspector">
      <div className={styles.inspectorHead} role="tablist">
        {hasFeed && <Tab title="Router" isCurrent={tab === 'feed'} onClick={() => setTab('feed')} />}
        <Tab title="Lesson" isCurrent={tab === 'lesson'} onClick={() => setTab('lesson')} />
      </div>
      <div className={styles.inspectorBody} role="tabpanel">
        <Suspense fallback={null}>
          {tab === 'feed' ? <RouterFeed /> : target !== undefined && <Markdown source={target.lesson} />}
        </Suspense>
      </div>
    </aside>
  );
}

interface TabProps {
  readonly title: string;
  readonly isCurrent: boolean;
  readonly onClick: () => void;
}

function Tab({ title, isCurrent, onClick }: TabProps) {
  return (
    <button type="button" role="tab" aria-selected={isCurrent} className={styles.tab} onClick={onClick}>
      {title}
    </button>
  );
}
