import { ActionIcon, Button, Menu, Tooltip } from '@mantine/core';
import { IconArrowsExchange, IconDownload } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { Comparison, RunInfo } from '../../../electron/contract/protocol.ts';
import { compare } from '../../state/actions.ts';
import { runCommand } from '../../state/commandRegistry.ts';
import { usePinnedRuns } from '../../state/comparedSet.ts';
import { errorOf } from '../../state/hostClient.ts';
import type { Loading } from '../../state/runDetails.ts';
import { pairTokens } from '../../state/runNames.ts';
import { mostPins } from '../../state/runsStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EmptyState, ErrorState } from '../../ui/EmptyState.tsx';
import { EngineBadge } from '../../ui/EngineBadge.tsx';
import { kindViews } from '../kinds/kindViews.ts';
import styles from './Compare.module.css';
import { PinnedRuns } from './PinnedRuns.tsx';
import { RunPicker } from './RunPicker.tsx';

/** Two runs side by side, the verdict first. */
export function Compare() {
  const workbench = useWorkbench();
  const runs = useStore(workbench.runs, (state) => state.runs);
  const baselineId = useStore(workbench.runs, (state) => state.baseline);
  const optimizedId = useStore(workbench.runs, (state) => state.optimized);
  const result = useComparison(baselineId, optimizedId);
  const baseline = runs.find((run) => run.run === baselineId);
  const optimized = runs.find((run) => run.run === optimizedId);

  const [leftToken, rightToken] = pairTokens(
    baseline?.variant ?? 'baseline',
    optimized?.variant ?? 'optimized',
  );

  if (baselineId === undefined || optimizedId === undefined)
    return (
      <EmptyState
        title="Nothing is compared yet"
        commands={[
          { id: 'compare.last', label: 'Compare the latest A/B pair', isMain: true },
          { id: 'run.default-lab', label: 'Run the default lab' },
          { id: 'view.history', label: 'Choose two runs in the history' },
        ]}
      >
        Here a baseline and an optimized run stand side by side: the ratio of every metric with its interval,
        the latency distributions, the balance of the instances and each request’s routing.
      </EmptyState>
    );
  return (
    <div
      className={styles.compare}
      data-testid="compare"
      data-baseline={baselineId}
      data-optimized={optimizedId}
    >
      <header className={styles.head}>
        <RunPicker
          label="Baseline"
          token={leftToken}
          value={baselineId}
          onChange={(run) => compare(workbench, run, optimizedId)}
        />
        <Tooltip label="Swap the two sides (X)">
          <ActionIcon aria-label="Swap the two sides" onClick={() => runCommand(workbench, 'compare.swap')}>
            <IconArrowsExchange size={15} />
          </ActionIcon>
        </Tooltip>
        <RunPicker
          label="Optimized"
          token={rightToken}
          value={optimizedId}
          onChange={(run) => compare(workbench, baselineId, run)}
        />
        <EngineBadge engine={optimized?.engine ?? 'sim'} />
        {baseline !== undefined && optimized !== undefined && (
          <AddRun baseline={baseline} optimized={optimized} />
        )}
        <span className={styles.gap} />
        <ExportMenu />
      </header>
      {result.kind === 'failed' && (
        <ErrorState title="These two runs cannot be compared" error={result.error} />
      )}
      {result.kind === 'loading' && <Computing />}
      {result.kind === 'ready' && baseline !== undefined && optimized !== undefined && (
        <Sections
          key={`${baselineId} ${optimizedId}`}
          comparison={result.value}
          baseline={baseline}
          optimized={optimized}
        />
      )}
    </div>
  );
}

function Sections({
  comparison,
  baseline,
  optimized,
}: {
  readonly comparison: Comparison;
  readonly baseline: RunInfo;
  readonly optimized: RunInfo;
}) {
  const { verification, warnings } = comparison;
  const { CompareSections } = kindViews[optimized.kind];
  return (
    <div className={styles.sections}>
      <section className={styles.verdict} aria-label="Verdict">
        <p className={`${styles.sentence} selectable`} data-testid="verdict">
          {comparison.verdict}
        </p>
        <div className={styles.checks}>
          <Tooltip
            label={
              verification.detail === undefined
                ? verification.method
                : `${verification.method} ${verification.detail}`
            }
          >
            <span className={styles.check} data-status={verification.status} data-testid="verification">
              {verificationGlyph(verification.status)} verification {verification.status.replaceAll('_', ' ')}
            </span>
          </Tooltip>
          <Tooltip label={comparison.method}>
            <span className={styles.method}>how the intervals were made</span>
          </Tooltip>
        </div>
        {warnings.map((warning) => (
          <p key={warning} className={styles.warning}>
            ▲ {warning}
          </p>
        ))}
      </section>
      <PinnedRuns comparison={comparison} baseline={baseline} optimized={optimized} />
      <CompareSections comparison={comparison} baseline={baseline} optimized={optimized} />
    </div>
  );
}

/** One more run beside the two, up to six in all. */
function AddRun({ baseline, optimized }: { readonly baseline: RunInfo; readonly optimized: RunInfo }) {
  const { runs } = useWorkbench();
  const pinned = usePinnedRuns(baseline, optimized);
  if (pinned.length >= mostPins) return <span className={styles.quiet}>six runs at most</span>;
  return (
    <RunPicker
      label="Add a run"
      value={null}
      width={150}
      onChange={(run) =>
        runs.setState(() => ({ pins: [...new Set([...pinned.map((pin) => pin.run), run])] }))
      }
    />
  );
}

/** What goes on while there is no verdict yet; the time tells that it does go on. */
function Computing() {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((known) => known + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className={styles.computing} role="status" data-testid="comparing">
      <span className={styles.computingBar} aria-hidden />
      Reading both runs and resampling their requests for the intervals… {seconds} s
    </div>
  );
}

function verificationGlyph(status: string): string {
  if (status === 'passed') return '✓';
  return status === 'failed' ? '✕' : '–';
}

const exports = [
  { id: 'export.report-html', label: 'Report as HTML…' },
  { id: 'export.report-pdf', label: 'Report as PDF…' },
  { id: 'export.csv', label: 'Requests as CSV…' },
  { id: 'export.parquet', label: 'Requests as Parquet…' },
  { id: 'export.json', label: 'Summary as JSON…' },
  { id: 'export.bundle', label: 'Run bundle…' },
  { id: 'export.charts', label: 'Charts as PNG…' },
  { id: 'export.charts-svg', label: 'Charts as SVG…' },
] as const;

export function ExportMenu() {
  const workbench = useWorkbench();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" size="compact-xs" leftSection={<IconDownload size={13} />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {exports.map(({ id, label }) => (
          <Menu.Item key={id} onClick={() => runCommand(workbench, id)}>
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function useComparison(baseline: string | undefined, optimized: string | undefined): Loading<Comparison> {
  const { client } = useWorkbench();
  const [state, setState] = useState<Loading<Comparison>>({ kind: 'none' });
  useEffect(() => {
    if (baseline === undefined || optimized === undefined) return;
    let isCurrent = true;
    setState({ kind: 'loading' });
    client.request('runs.compare', { baseline, optimized }).then(
      (value) => {
        if (isCurrent) setState({ kind: 'ready', value });
      },
      (thrown: unknown) => {
        if (isCurrent) setState({ kind: 'failed', error: errorOf(thrown) });
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [client, baseline, optimized]);
  return state;
}
