import { formatMetric } from '../../../workloads/metrics/format.ts';
import { metricLabel, metricOf } from '../../../workloads/metrics/registry.ts';
import { tierColumns, tierFigure, tierObjectives } from '../../../workloads/metrics/tierFigures.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import styles from './Compare.module.css';

/** How each service class fared on both sides; nothing where the runs know no tiers. */
export function TierTable({ baseline, optimized, names: sideNames, tokens }: ComparedPair) {
  const left = useRunDetail(baseline.run);
  const right = useRunDetail(optimized.run);
  const sides = [
    { side: 'baseline', run: sideNames[0], token: tokens[0], detail: left },
    { side: 'optimized', run: sideNames[1], token: tokens[1], detail: right },
  ].map(({ side, run, token, detail }) => ({
    side,
    run,
    token,
    tiers: detail.kind === 'ready' ? (detail.value.summary?.admission?.tiers ?? []) : [],
  }));
  const names = [...new Set(sides.flatMap(({ tiers }) => tiers.map((tier) => tier.name)))];
  if (names.length < 2) return null;
  return (
    <section className={styles.stack} aria-label="Tiers" data-testid="tiers">
      <div className={styles.sectionHead}>
        <h2>Service tiers</h2>
      </div>
      <div className={styles.panel}>
        <table className={`${styles.table} selectable`}>
          <thead>
            <tr>
              <th>Tier</th>
              <th>Run</th>
              {tierColumns.map((column) => (
                <th key={column} className={styles.number} title={metricOf(column).definition}>
                  {metricLabel(column)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {names.flatMap((name) =>
              sides.flatMap(({ side, run, token, tiers }) => {
                const tier = tiers.find((each) => each.name === name);
                if (tier === undefined) return [];
                return [
                  <tr key={`${name} ${side}`}>
                    <td title={tierObjectives(tier)}>{name}</td>
                    <td>
                      <span className={styles.swatch} style={{ background: `var(${token})` }} /> {run}
                    </td>
                    {tierColumns.map((column) => {
                      const value = tierFigure(tier, column);
                      return (
                        <td key={column} className={styles.number}>
                          {value === undefined ? '–' : formatMetric(column, value)}
                        </td>
                      );
                    })}
                  </tr>,
                ];
              }),
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}
