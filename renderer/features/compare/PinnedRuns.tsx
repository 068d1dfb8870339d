import { ActionIcon } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import type { Comparison, ComparisonRow, RunInfo } from '../../../electron/contract/protocol.ts';
import { absentText, formatMetric } from '../../../workloads/metrics/format.ts';
import { findMetric, metricLabel } from '../../../workloads/metrics/registry.ts';
import { type ComparedRun, comparedSet, usePinnedRuns } from '../../state/comparedSet.ts';
import { change, ratioFigures } from '../../state/number.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Compare.module.css';
import { LineKey } from './LineKey.tsx';
import { mainMetrics } from './RatioTable.tsx';

/** A column beside the baseline: its rows by metric, or why there are none. */
type Column = ReadonlyMap<string, ComparisonRow> | { readonly problem: string };

const keyOf = ({ of, metric }: ComparisonRow): string => `${of ?? ''} ${metric}`;

/** Up to six runs: each but the baseline a column with its value and its change against the baseline. */
export function PinnedRuns({
  comparison,
  baseline,
  optimized,
}: {
  readonly comparison: Comparison;
  readonly baseline: RunInfo;
  readonly optimized: RunInfo;
}) {
  const workbench = useWorkbench();
  const pinned = usePinnedRuns(baseline, optimized);
  const found = usePinnedComparisons(baseline.run, pinned);
  const set = comparedSet(baseline, optimized, pinned);
  if (pinned.length === 0) return null;
  const column = (rows: readonly ComparisonRow[]): Column => new Map(rows.map((row) => [keyOf(row), row]));
  const columns: readonly (Column | undefined)[] = [
    column(comparison.rows),
    ...pinned.map(({ run }) => {
      const result = found.get(run);
      return result === undefined || 'problem' in result ? result : column(result.rows);
    }),
  ];
  const main = comparison.rows.filter(({ metric }) => mainMetrics.test(metric));
  const rows = main.length === 0 ? comparison.rows : main;
  const [first, ...others] = set;
  return (
    <section aria-label="Pinned runs" className={styles.stack}>
      <div className={styles.sectionHead}>
        <h2>All {set.length} runs</h2>
        <span className={styles.quiet}>
          Δ against the baseline; ▲▼ only where the 95 % interval of the ratio leaves 1
        </span>
      </div>
      <div className={styles.wide}>
        <table className={styles.table} data-testid="pinned-table" data-columns={set.length}>
          <thead>
            <tr>
              <th>Metric</th>
              {first !== undefined && <Head each={first} />}
              {others.map((each, index) => (
                <Head
                  key={each.run.run}
                  each={each}
                  {...(index === 0
                    ? {}
                    : {
                        onRemove: () =>
                          workbench.runs.setState(({ pins }) => ({
                            pins: pins.filter((pin) => pin !== each.run.run),
                          })),
                      })}
                />
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={keyOf(row)}>
                <td className={styles.metric} title={findMetric(row.metric)?.metric.definition}>
                  {metricLabel(row.metric)}
                  {row.of !== undefined && <span className={styles.quiet}> {row.of}</span>}
                </td>
                <td className={styles.number}>{formatMetric(row.metric, row.baseline)}</td>
                {columns.map((own, index) => (
                  <Cell key={others[index]?.run.run ?? index} column={own} of={keyOf(row)} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Head({ each, onRemove }: { readonly each: ComparedRun; readonly onRemove?: () => void }) {
  return (
    <th className={styles.number} scope="col">
      <span className={styles.columnHead}>
        <LineKey token={each.token} dash={each.dash} />
        <span title={each.name}>{each.name}</span>
        {onRemove !== undefined && (
          <ActionIcon size={16} aria-label={`Take ${each.name} off`} onClick={onRemove}>
            <IconX size={11} />
          </ActionIcon>
        )}
      </span>
    </th>
  );
}

function Cell({ column, of }: { readonly column: Column | undefined; readonly of: string }) {
  if (column === undefined) return <td className={styles.number}>…</td>;
  if ('problem' in column)
    return (
      <td className={styles.number} title={column.problem}>
        cannot be compared
      </td>
    );
  const row = column.get(of);
  if (row === undefined) return <td className={styles.number}>{absentText}</td>;
  return (
    <td
      className={styles.number}
      title={`${ratioFigures(row.ratio)}×, 95 % CI ${ratioFigures(row.ci95[0])}–${ratioFigures(row.ci95[1])}`}
    >
      {formatMetric(row.metric, row.optimized)}{' '}
      <span className={styles.delta} data-verdict={row.verdict}>
        {row.verdict === 'no_evidence' ? '·' : row.ratio < 1 ? '▼' : '▲'} {change(row.ratio)}
      </span>
    </td>
  );
}

/** Each pinned run against the baseline, as it comes. */
function usePinnedComparisons(
  baseline: string,
  pinned: readonly RunInfo[],
): ReadonlyMap<string, Comparison | { readonly problem: string }> {
  const { client } = useWorkbench();
  const [found, setFound] = useState<ReadonlyMap<string, Comparison | { readonly problem: string }>>(
    new Map(),
  );
  const ids = pinned.map(({ run }) => run).join(' ');
  useEffect(() => {
    let isCurrent = true;
    setFound(new Map());
    for (const run of ids.split(' ').filter(Boolean))
      client.request('runs.compare', { baseline, optimized: run }).then(
        (value) => isCurrent && setFound((before) => new Map(before).set(run, value)),
        (thrown: unknown) => {
          const problem = thrown instanceof Error ? thrown.message : String(thrown);
          if (isCurrent) setFound((before) => new Map(before).set(run, { problem }));
        },
      );
    return () => {
      isCurrent = false;
    };
  }, [client, baseline, ids]);
  return found;
}
