import { ActionIcon, Button, Menu, Select, Tooltip } from '@mantine/core';
import { IconArrowsExchange, IconDownload } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { Comparison, RunInfo } from '../../../electron/contract/protocol.ts';
import { compare } from '../../state/actions.ts';
import { runCommand } from '../../state/commandRegistry.ts';
import { errorOf } from '../../state/hostClient.ts';
import { kindOf } from '../../state/kinds/runKinds.ts';
import { when } from '../../state/number.ts';
import type { Loading } from '../../state/runDetails.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EmptyState, ErrorState } from '../../ui/EmptyState.tsx';
import { EngineBadge } from '../../ui/EngineBadge.tsx';
import { variantToken } from '../../ui/variantColour.ts';
import { kindViews } from '../kinds/kindViews.ts';
import styles from './Compare.module.css';

/** Two runs side by side, the verdict first. */
export function Compare() {
  const workbench = useWorkbench();
  const runs = useStore(workbench.runs, (state) => state.runs);
  const baselineId = useStore(workbench.runs, (state) => state.baseline);
  const optimizedId = useStore(workbench.runs, (state) => state.optimized);
  const result = useComparison(baselineId, optimizedId);
  const baseline = runs.find((run) => run.run === baselineId);
  const optimized = runs.find((run) => run.run === optimizedId);

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
          token={variantToken(baseline?.variant ?? 'baseline')}
          runs={runs}
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
          token={otherToken(baseline?.variant, optimized?.variant)}
          runs={runs}
          value={optimizedId}
          onChange={(run) => compare(workbench, baselineId, run)}
        />
        <EngineBadge engine={optimized?.engine ?? 'sim'} />
        <span className={styles.gap} />
        <ExportMenu />
      </header>
      {result.kind === 'failed' && (
        <ErrorState title="These two runs cannot be compared" error={result.error} />
      )}
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
      <CompareSections comparison={comparison} baseline={baseline} optimized={optimized} />
    </div>
  );
}

function verificationGlyph(status: string): string {
  if (status === 'passed') return '✓';
  return status === 'failed' ? '✕' : '–';
}

interface RunPickerProps {
  readonly label: string;
  readonly token: string;
  readonly runs: readonly RunInfo[];
  readonly value: string;
  readonly onChange: (run: string) => void;
}

function RunPicker({ label, token, runs, value, onChange }: RunPickerProps) {
  return (
    <Select
      aria-label={label}
      leftSection={<span className={styles.swatch} style={{ background: `var(${token})` }} />}
      data={runs
        .filter((run) => run.status !== 'running')
        .map((run) => ({
          value: run.run,
          label: `${kindOf(run).label(run)} · ${when(run.started)}`,
        }))}
      value={value}
      onChange={(chosen) => {
        if (chosen !== null) onChange(chosen);
      }}
      searchable
      w={300}
      maxDropdownHeight={360}
    />
  );
}

const exports = [
  { id: 'export.report-html', label: 'Report as HTML…' },
  { id: 'export.report-pdf', label: 'Report as PDF…' },
  { id: 'export.csv', label: 'Requests as CSV…' },
  { id: 'export.parquet', label: 'Requests as Parquet…' },
  { id: 'export.json', label: 'Summary as JSON…' },
  { id: 'export.bundle', label: 'Run bundle…' },
  { id: 'export.charts', label: 'Charts as PNG…' },
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

const otherToken = (left = 'baseline', right = 'optimized'): string =>
  left === right ? '--other-variant' : variantToken(right);
