import { formatMetric, formatRatio } from '../../../workloads/metrics/format.ts';
import { metricLabel, metricOf } from '../../../workloads/metrics/registry.ts';
import { summaryFigures } from '../../../workloads/metrics/summaryFigures.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import styles from './Compare.module.css';

interface FiguresTableProps extends ComparedPair {
  readonly title: string;
  readonly testId: string;
  readonly ids: readonly string[];
  /** The table is there only where a run has one of these; absent: one of `ids`. */
  readonly where?: readonly string[];
}

/** Summary figures of both sides beside each other; nothing where neither run has any of them. */
export function FiguresTable({
  baseline,
  optimized,
  names,
  title,
  testId,
  ids,
  where = ids,
}: FiguresTableProps) {
  const sides = [useRunDetail(baseline.run), useRunDetail(optimized.run)].map((detail) =>
    detail.kind === 'ready' && detail.value.summary !== undefined
      ? summaryFigures(detail.value.summary)
      : new Map<string, number>(),
  );
  // A count that is zero on both sides says nothing.
  const has = (id: string) => sides.some((figures) => (figures.get(id) ?? 0) > 0);
  if (!where.some(has)) return null;
  const shown = ids.filter(has);
  return (
    <section className={styles.stack} aria-label={title} data-testid={testId}>
      <div className={styles.sectionHead}>
        <h2>{title}</h2>
      </div>
      <div className={styles.panel}>
        <table className={`${styles.table} selectable`}>
          <thead>
            <tr>
              <th>Figure</th>
              <th className={styles.number}>{names[0]}</th>
              <th className={styles.number}>{names[1]}</th>
              <th className={styles.number}>Ratio</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((id) => {
              const [left, right] = sides.map((figures) => figures.get(id));
              const ratio =
                left === undefined || right === undefined || left === 0 ? '' : formatRatio(right / left);
              return (
                <tr key={id}>
                  <td title={metricOf(id).definition}>{metricLabel(id)}</td>
                  {[left, right].map((value, side) => (
                    // Two cells, always in this order.
                    <td key={side === 0 ? 'baseline' : 'optimized'} className={styles.number}>
                      {value === undefined ? '–' : formatMetric(id, value)}
                    </td>
                  ))}
                  <td className={styles.number}>{ratio}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
