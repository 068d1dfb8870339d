import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { IconFolder, IconPlayerStop, IconRefresh, IconTrash } from '@tabler/icons-react';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import type { SweepContents, SweepInfo } from '../../../electron/contract/sweeps.ts';
import { withSeparators } from '../../../workloads/metrics/format.ts';
import { SimulatedBadge } from '../../charts/SimulatedBadge.tsx';
import { span } from '../../state/number.ts';
import {
  cancelSweep,
  deleteSweep,
  followSweeps,
  resumeSweep,
  showSweep,
  sweepStore,
} from '../../state/sweepStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EmptyState, ErrorState } from '../../ui/EmptyState.tsx';
import { NewSweep } from './NewSweep.tsx';
import { PointPanel } from './PointPanel.tsx';
import styles from './Sweep.module.css';
import { SweepScatter } from './SweepScatter.tsx';
import { SweepTable } from './SweepTable.tsx';

/** One target at many settings: the Pareto-optimal points and their cost. */
export function Sweep() {
  const workbench = useWorkbench();
  const { sweeps, shown, contents, selected } = useStore(sweepStore);
  useEffect(() => followSweeps(workbench), [workbench]);
  const info = sweeps.find(({ sweep }) => sweep === shown);
  return (
    <div
      className={styles.sweep}
      data-testid="sweep"
      data-state={info?.state ?? ''}
      data-done={info?.done ?? 0}
    >
      <aside className={styles.side}>
        <NewSweep />
        <h2 className={styles.listHead}>Sweeps</h2>
        <ol className={styles.list}>
          {sweeps.map((sweep) => (
            <li key={sweep.sweep}>
              <button
                type="button"
                aria-current={sweep.sweep === shown}
                data-state={sweep.state}
                onClick={() => showSweep(workbench, sweep.sweep)}
              >
                <span className={styles.title}>{sweep.title}</span>
                <span className={styles.state}>{stateOf(sweep)}</span>
              </button>
            </li>
          ))}
        </ol>
      </aside>
      <div className={styles.content}>
        {info === undefined ? (
          <EmptyState title="No sweep yet">
            A sweep runs one workload at many settings on all cores and shows which of them are
            Pareto-optimal. Choose what varies on the left; everything else is as set in Run.
          </EmptyState>
        ) : (
          <>
            <SweepHead info={info} contents={contents} />
            {info.error !== undefined && <ErrorState title="The sweep stopped" error={info.error} />}
            {contents !== undefined && contents.points.length > 0 && (
              <>
                <SweepScatter key={info.sweep} contents={contents} selected={selected} />
                {selected !== undefined && <PointPanel contents={contents} index={selected} />}
                <SweepTable contents={contents} selected={selected} />
              </>
            )}
          </>
        )}
      </div>
    </div>
  );
}

const glyphs = { running: '●', done: '✓', cancelled: '–', failed: '✕', interrupted: '◐' } as const;

function stateOf({ state, done, total, search, eta_ms: eta }: SweepInfo): string {
  const count = `${withSeparators(String(done))} of ${withSeparators(String(total))}`;
  const rest = state === 'running' && eta !== undefined ? ` · ${span(eta)} left` : '';
  return `${glyphs[state]} ${search} · ${state === 'done' ? `${withSeparators(String(total))} points` : count}${rest}`;
}

function SweepHead({
  info,
  contents,
}: {
  readonly info: SweepInfo;
  readonly contents: SweepContents | undefined;
}) {
  const workbench = useWorkbench();
  const failed = contents?.points.filter(({ error }) => error !== undefined) ?? [];
  return (
    <>
      <header className={styles.bar}>
        <h1>{info.title}</h1>
        <SimulatedBadge />
        <span className={styles.progress}>
          {info.state === 'running'
            ? `${withSeparators(String(info.done))} of ${withSeparators(String(info.total))} points on ${info.jobs} threads${info.eta_ms === undefined ? '' : ` · ${span(info.eta_ms)} left`}`
            : `${withSeparators(String(info.done))} points${contents === undefined ? '' : `, ${contents.front.length} on the front`}${failed.length === 0 ? '' : `, ${failed.length} cannot be run`}`}
        </span>
        <span className={styles.gap} />
        {info.state === 'running' ? (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlayerStop size={13} />}
            onClick={() => void cancelSweep(workbench, info.sweep)}
          >
            Stop
          </Button>
        ) : (
          <>
            {info.done < info.total && (
              <Button
                size="xs"
                leftSection={<IconRefresh size={13} />}
                onClick={() => void resumeSweep(workbench, info.sweep)}
              >
                Resume
              </Button>
            )}
            <Tooltip label="The points and the sweep’s document">
              <ActionIcon
                aria-label="Show the sweep in its folder"
                onClick={() => void workbench.bridge.showInFolder(info.folder)}
              >
                <IconFolder size={15} />
              </ActionIcon>
            </Tooltip>
            <ActionIcon aria-label="Delete the sweep" onClick={() => void deleteSweep(workbench, info.sweep)}>
              <IconTrash size={15} />
            </ActionIcon>
          </>
        )}
      </header>
      {info.state === 'running' && (
        <div className={styles.track} role="progressbar" aria-label="Progress" aria-valuenow={info.done}>
          <span style={{ width: `${(100 * info.done) / Math.max(1, info.total)}%` }} />
        </div>
      )}
    </>
  );
}
