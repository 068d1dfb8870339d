import { ActionIcon, Button, Tooltip, useComputedColorScheme } from '@mantine/core';
import { IconLayoutSidebarRight, IconMoon, IconPlayerStopFilled, IconSun } from '@tabler/icons-react';
import { useStore } from 'zustand';
import type { Job } from '../../electron/contract/protocol.ts';
import { runCommand } from '../state/commandRegistry.ts';
import { isOpen, shownJob } from '../state/jobsStore.ts';
import { span } from '../state/number.ts';
import { clockText } from '../state/timeRange.ts';
import { useWorkbench } from '../state/workbench.ts';
import { EngineBadge } from '../ui/EngineBadge.tsx';
import { Gauge } from '../ui/Gauge.tsx';
import { VariantName } from '../ui/VariantName.tsx';
import styles from './Frame.module.css';

/** Always there: what runs, how far it is, how to stop it. */
export function RunBar() {
  const workbench = useWorkbench();
  const job = useStore(workbench.jobs, (state) => shownJob(state.jobs));
  const isDark = useComputedColorScheme('dark') === 'dark';
  const ThemeIcon = isDark ? IconSun : IconMoon;
  return (
    <section
      className={styles.runBar}
      aria-label="Run bar"
      data-testid="run-bar"
      data-state={job?.state ?? 'none'}
      data-pid={job !== undefined && isOpen(job) ? job.pid : undefined}
    >
      <span className={styles.brand}>
        <Gauge />
        Dyno
      </span>
      {job === undefined ? <span className={styles.runTitle}>No run yet</span> : <JobTitle job={job} />}
      <span className={styles.gap} />
      {job !== undefined && <JobState job={job} />}
      {job !== undefined && isOpen(job) && (
        <Button
          variant="default"
          size="compact-xs"
          leftSection={<IconPlayerStopFilled size={12} />}
          onClick={() => runCommand(workbench, 'run.cancel')}
        >
          Cancel
        </Button>
      )}
      <span className={styles.windowButtons}>
        <Tooltip label={isDark ? 'Light theme' : 'Dark theme'}>
          <ActionIcon
            aria-label={isDark ? 'Light theme' : 'Dark theme'}
            onClick={() => runCommand(workbench, 'theme.toggle')}
          >
            <ThemeIcon size={16} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
        <Tooltip label="Show or hide the inspector">
          <ActionIcon aria-label="Inspector" onClick={() => runCommand(workbench, 'window.inspector')}>
            <IconLayoutSidebarRight size={16} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </span>
    </section>
  );
}

function JobTitle({ job }: { readonly job: Job }) {
  const run = job.runs[job.current];
  return (
    <span className={styles.runTitle}>
      <span className="mono">{run?.target ?? job.title}</span>
      {run !== undefined && (
        <>
          <span className={styles.dot}>·</span>
          <VariantName variant={run.variant} />
          <EngineBadge engine={run.engine} />
          {job.runs.length > 1 && (
            <span className={styles.dot}>
              run {job.current + 1} of {job.runs.length}
            </span>
          )}
        </>
      )}
    </span>
  );
}

const words: Readonly<Record<Job['state'], string>> = {
  queued: 'queued',
  running: 'running',
  finishing: 'writing the bundle',
  done: '✓ done',
  failed: '✕ failed',
  cancelled: 'cancelled',
};

function JobState({ job }: { readonly job: Job }) {
  const share = job.total > 0 ? Math.min(1, job.done / job.total) : 0;
  const open = isOpen(job);
  const interrupted = job.runs.some((run) => run.status === 'interrupted');
  return (
    <span className={styles.state} role="status">
      {job.state === 'running' && <span className={styles.runningMark} />}
      <span>{interrupted && job.state === 'failed' ? '✕ interrupted' : words[job.state]}</span>
      {open && job.clock_ns > 0 && (
        <Tooltip label="The run's own clock">
          <span>t = {clockText(job.clock_ns / 1e6)}</span>
        </Tooltip>
      )}
      <span>
        {span(job.elapsed_ms)}
        {open && job.eta_ms !== undefined && (
          <span className={styles.dot}> / {span(job.elapsed_ms + job.eta_ms)}</span>
        )}
      </span>
      {open && (
        <span
          className={styles.progress}
          role="progressbar"
          aria-label="Progress"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(share * 100)}
        >
          <span className={styles.progressFill} style={{ display: 'block', transform: `scaleX(${share})` }} />
        </span>
      )}
      {open && <span>{Math.round(share * 100)} %</span>}
    </span>
  );
}
