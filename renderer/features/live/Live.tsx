import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { IconArrowsDiff, IconPin, IconPinFilled, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import { useStore } from 'zustand';
import { pairNames } from '../../../workloads/catalog/runNames.ts';
import { compare, pin } from '../../state/actions.ts';
import { findTarget } from '../../state/catalogue.ts';
import { runCommand } from '../../state/commandRegistry.ts';
import { runKinds } from '../../state/kinds/runKinds.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import { useRunNames } from '../../state/runNames.ts';
import { clockText } from '../../state/timeRange.ts';
import { useWindow, useWorkbench } from '../../state/workbench.ts';
import { EmptyState, ErrorState } from '../../ui/EmptyState.tsx';
import { EngineBadge } from '../../ui/EngineBadge.tsx';
import { StatusName } from '../../ui/StatusName.tsx';
import { VariantName } from '../../ui/VariantName.tsx';
import { pinnedWord } from '../../ui/variantColour.ts';
import { MachineGpus } from '../gpu/GpuPanel.tsx';
import { TopologyPanel } from '../gpu/TopologyPanel.tsx';
import { kindViews } from '../kinds/kindViews.ts';
import { Breadcrumb } from './Breadcrumb.tsx';
import { CapturePart } from './CapturePart.tsx';
import styles from './Live.module.css';
import { LiveCharts } from './LiveCharts.tsx';

/** A run over its time: while it goes on, and afterwards. */
export function Live() {
  const workbench = useWorkbench();
  const { live, jobs, runs, settings } = workbench;
  const { run, baseline, mode, error } = useStore(live.store);
  const frozen = useWindow((state) => state.frozen);
  const range = useWindow((state) => state.ranges.at(-1));
  const isLog = useStore(settings, (state) => state.logLatency);
  const pinned = useStore(settings, (state) => state.pinnedRun);
  const ofJob = useStore(jobs, (state) =>
    state.jobs.flatMap((job) => job.runs).findLast((each) => each.run === run),
  );
  const jobError = useStore(
    jobs,
    (state) => state.jobs.findLast((job) => job.runs.some((each) => each.run === run))?.error,
  );
  const info = useStore(runs, (state) => state.runs.find((each) => each.run === run));
  const baselineInfo = useStore(runs, (state) => state.runs.find((each) => each.run === baseline));
  const status = info?.status ?? (ofJob?.status === 'queued' ? 'running' : ofJob?.status) ?? 'running';
  const detail = useRunDetail(run, status);
  const names = useRunNames();
  const baselineDetail = useRunDetail(baseline, baselineInfo?.status);

  if (run === undefined)
    return (
      <div className={styles.live}>
        <div className={styles.machine}>
          <TopologyPanel />
          <MachineGpus />
        </div>
        <EmptyState
          title="No run on screen"
          commands={[
            { id: 'run.default-lab', label: 'Run the default lab', isMain: true },
            { id: 'view.history', label: 'Open one from the history' },
          ]}
        >
          While a run goes on, its latency percentiles, queues, KV cache and router decisions are drawn here
          as they happen.
        </EmptyState>
      </div>
    );
  if (mode === 'failed' && error !== undefined)
    return <ErrorState title="This run could not be opened" error={error} />;

  const variant = info?.variant ?? ofJob?.variant ?? '';
  const [name, baselineName] =
    info !== undefined && baselineInfo !== undefined
      ? pairNames(info, baselineInfo, findTarget)
      : [names.get(run), names.get(baseline ?? '')];
  // Two runs of one variant would have one colour: the one behind gets a name and a colour of its own.
  const behind =
    baselineInfo?.variant === variant
      ? `${pinnedWord}${baselineName ?? variant}`
      : (baselineInfo?.variant ?? 'baseline');
  const engine = info?.engine ?? ofJob?.engine ?? 'sim';
  const failure = info?.error ?? jobError;
  const isPinned = pinned === run;
  const kind = runKinds[info?.kind ?? ofJob?.kind ?? 'serving'];
  const { FigureScope, LiveFigures } = kindViews[kind.id];
  const shown = detail.kind === 'ready' ? detail.value : undefined;
  const scope =
    range !== undefined
      ? `the window to ${clockText(range.toMs)}`
      : status === 'running' || shown?.summary === undefined
        ? 'the sliding window'
        : 'the whole run';
  const against =
    info !== undefined && kind.comparesItself(info)
      ? run
      : baselineInfo?.kind === kind.id
        ? baseline
        : undefined;
  return (
    <div className={styles.live} data-testid="live" data-run={run} data-mode={mode} data-status={status}>
      <header className={styles.head}>
        <span className={`${styles.target} mono`}>{info?.target ?? ofJob?.target}</span>
        <VariantName variant={variant} name={name} />
        <EngineBadge engine={engine} />
        <StatusName status={status} />
        {baseline !== undefined && (
          <span className={styles.against}>
            pinned baseline <VariantName variant={behind} name={baselineName} />
          </span>
        )}
        <FigureScope scope={scope} />
        <span className={styles.gap} />
        <Breadcrumb />
        {status !== 'running' && kind.canReplay(engine) && <CapturePart run={run} kind={kind.id} />}
        <Tooltip label={frozen ? 'Resume (Space)' : 'Freeze the view; data goes on (Space)'}>
          <ActionIcon
            aria-label={frozen ? 'Resume' : 'Freeze'}
            variant={frozen ? 'light' : 'subtle'}
            onClick={() => runCommand(workbench, 'view.freeze')}
          >
            {frozen ? <IconPlayerPlay size={15} /> : <IconPlayerPause size={15} />}
          </ActionIcon>
        </Tooltip>
        <Tooltip label="Logarithmic latency axes (Shift+L)">
          <ActionIcon
            aria-label="log: logarithmic latency axes"
            aria-pressed={isLog}
            variant={isLog ? 'light' : 'subtle'}
            onClick={() => runCommand(workbench, 'charts.log-latency')}
          >
            <span className={styles.log}>log</span>
          </ActionIcon>
        </Tooltip>
        <Tooltip label={isPinned ? 'Unpin' : 'Pin this run as the baseline behind every chart'}>
          <ActionIcon
            aria-label="Pin as baseline"
            aria-pressed={isPinned}
            onClick={() => pin(workbench, isPinned ? null : run)}
          >
            {isPinned ? <IconPinFilled size={15} /> : <IconPin size={15} />}
          </ActionIcon>
        </Tooltip>
        {against !== undefined && status !== 'running' && (
          <Button
            variant="light"
            size="compact-xs"
            leftSection={<IconArrowsDiff size={13} />}
            onClick={() => compare(workbench, against, run)}
          >
            Compare
          </Button>
        )}
      </header>
      {status === 'failed' && (
        <div className={styles.interrupted} role="alert" data-testid="run-failure">
          <b>This run failed</b>
          {failure === undefined ? ': its bundle gives no reason.' : `: ${failure.message}`}
          {failure?.hint !== undefined && ` ${failure.hint}`}
          {failure?.detail !== undefined && (
            <details>
              <summary>Details</summary>
              <pre className="selectable">{failure.detail}</pre>
            </details>
          )}
        </div>
      )}
      {status === 'interrupted' && (
        <div className={styles.interrupted} role="alert">
          This run was interrupted: its runner ended before the work was done. Everything until then is kept
          and shown; it has no final summary, so it is not compared.
        </div>
      )}
      <LiveFigures
        run={run}
        info={info}
        isRunning={status === 'running'}
        isSimulated={engine === 'sim'}
        detail={shown}
        baseline={baselineDetail.kind === 'ready' ? baselineDetail.value : undefined}
      />
      <LiveCharts
        key={run}
        kind={kind.id}
        variant={variant}
        baselineVariant={behind}
        engine={engine}
        isLog={isLog}
        detail={shown}
      />
    </div>
  );
}
