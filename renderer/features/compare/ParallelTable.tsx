import { formatMetric } from '../../../workloads/metrics/format.ts';
import { parallelMetrics } from '../../../workloads/metrics/parallelMetrics.ts';
import { summaryFigures } from '../../../workloads/metrics/summaryFigures.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import styles from './Compare.module.css';

/** Balance, exchange and bubble of experts and pipelines on both sides; nothing where neither run has any. */
export function ParallelTable({ baseline, optimized, names, tokens }: ComparedPair) {
  const left = useRunDetail(baseline.run);
  const right = useRunDetail(optimized.run);
  const sides = [
    { side: 'baseline', name: names[0], token: tokens[0], detail: left },
    { side: 'optimized', name: names[1], token: tokens[1], detail: right },
  ].map(({ side, name, token, detail }) => ({
    side,
    name,
    token,
    figures:
      detail.kind === 'ready' && detail.value.summary !== undefined
        ? summaryFigures(detail.value.summary)
        : new Map<string, number>(),
  }));
  const shown = parallelMetrics.filter(({ id }) => sides.some(({ figures }) => figures.has(id)));
  if (shown.length === 0) return null;
  return (
    <section className={styles.stack} aria-label="Experts and pipelines" data-testid="parallel">
      <div className={styles.sectionHead}>
        <h2>Experts and pipelines</h2>
      </div>
      <div className={styles.panel}>
        <table className={`${styles.table} selectable`}>
          <thead>
            <tr>
              <th>Metric</th>
              {sides.map(({ side, name, token }) => (
                <th key={side} className={styles.number}>
                  <span className={styles.swatch} style={{ background: `var(${token})` }} /> {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map(({ id, label, definition }) => (
              <tr key={id}>
                <td className={styles.metric} title={definition}>
                  {label}
                </td>
                {sides.map(({ side, figures }) => {
                  const value = figures.get(id);
                  return (
                    <td key={side} className={styles.number}>
                      {value === undefined ? '–' : formatMetric(id, value)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
