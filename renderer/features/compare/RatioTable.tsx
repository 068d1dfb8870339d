import { Tooltip, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import type { ComparisonRow } from '../../../electron/contract/protocol.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { findMetric, metricLabel } from '../../../workloads/metrics/registry.ts';
import { copy } from '../../state/actions.ts';
import { change, ratioFigures } from '../../state/number.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Compare.module.css';
import { IntervalGlyph } from './IntervalGlyph.tsx';
import { extentOf } from './intervalExtent.ts';

const verdictWords: Readonly<Record<ComparisonRow['verdict'], string>> = {
  better: 'better',
  worse: 'worse',
  no_evidence: 'no evidence',
};

/** The metrics that are shown at first; a click shows the others. */
export const mainMetrics =
  /^(?:(?:ttft|tpot)_ms\.p(?:50|95|99)|(?:e2e|queue)_ms\.p95|goodput_rps|output_tokens_per_s|.*hit_rate)$/;

/** Every metric's ratio with its interval. An interval that holds 1 is no evidence, whichever way it leans. */
export function RatioTable({
  rows,
  names = ['Baseline', 'Optimized'],
}: {
  readonly rows: readonly ComparisonRow[];
  /** Of the two columns. */
  readonly names?: readonly [string, string];
}) {
  const workbench = useWorkbench();
  const [showsAll, setShowsAll] = useState(false);
  const main = rows.filter((row) => mainMetrics.test(row.metric));
  const shown = showsAll || main.length === 0 ? rows : main;
  const extent = extentOf(rows.map((row) => row.ci95));
  return (
    <section className={styles.panel} aria-label="Ratios">
      <table className={styles.table} data-testid="ratio-table">
        <thead>
          <tr>
            <th>Metric</th>
            <th className={styles.number}>{names[0]}</th>
            <th className={styles.number}>{names[1]}</th>
            <th className={styles.number}>Ratio</th>
            <th className={styles.number}>95 % interval</th>
            <th className={styles.glyphHead}>
              <VisuallyHidden>Interval, drawn</VisuallyHidden>
            </th>
            <th>Evidence</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={`${row.of ?? ''} ${row.metric}`} data-verdict={row.verdict}>
              <Tooltip label={findMetric(row.metric)?.metric.definition ?? row.metric} position="top-start">
                <td className={styles.metric}>
                  {metricLabel(row.metric)}
                  {row.of !== undefined && <span className={styles.quiet}> {row.of}</span>}
                </td>
              </Tooltip>
              <Value row={row} value={row.baseline} />
              <Value row={row} value={row.optimized} />
              <td className={styles.number}>
                <button
                  type="button"
                  className={styles.copy}
                  title={`${row.ratio}, 95 % CI ${row.ci95[0]} to ${row.ci95[1]}`}
                  onClick={() =>
                    void copy(
                      workbench,
                      `${row.metric}\t${row.ratio}\t${row.ci95[0]}\t${row.ci95[1]}`,
                      'Ratio copied',
                    )
                  }
                >
                  {`${ratioFigures(row.ratio)}×`}
                </button>
              </td>
              <td className={styles.interval}>
                <span>
                  {ratioFigures(row.ci95[0])}–{ratioFigures(row.ci95[1])}
                </span>
              </td>
              <td className={styles.glyph}>
                <IntervalGlyph row={row} extent={extent} />
              </td>
              <td className={styles.evidence} data-verdict={row.verdict}>
                {row.verdict === 'no_evidence' ? '·' : row.ratio < 1 ? '▼' : '▲'}{' '}
                {row.verdict === 'no_evidence' ? '' : change(row.ratio)} {verdictWords[row.verdict]}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {main.length > 0 && main.length < rows.length && (
        <button type="button" className={styles.more} onClick={() => setShowsAll(!showsAll)}>
          {showsAll ? 'Only the main metrics' : `All ${rows.length} metrics`}
        </button>
      )}
    </section>
  );
}

function Value({ row, value }: { readonly row: ComparisonRow; readonly value: number }) {
  const workbench = useWorkbench();
  return (
    <td className={styles.number}>
      <button
        type="button"
        className={styles.copy}
        title={formatMetric(row.metric, value, true)}
        onClick={() => void copy(workbench, `${row.metric}\t${value}`, 'Value copied')}
      >
        {formatMetric(row.metric, value)}
      </button>
    </td>
  );
}
