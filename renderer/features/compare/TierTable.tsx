import { formatMetric } from '../../../workloads/metrics/format.ts';
import { metricLabel, metricOf } from '../../../workloads/metrics/registry.ts';
import { tierColumns, tierFigure, tierObjectives } from '../../../workloads/metrics/tierFigures.ts';
import { useRunDetail } from '../../state/runDetails.ts';
import { variantToken } from '../../ui/variantColour.ts';
import type { ComparedPair } from './CdfChart.tsx';
import styles from './Compare.module.css';

/** How each service class fared on both sides; nothing where the runs know no tiers. */
export function TierTable({ baseline, optimized }: ComparedPair) {
  const left = useRunDetail(baseline.run);
  const right = useRunDetail(optimized.run);
  const sides = [
    { side: 'baseline', variant: baseline.variant, detail: left },
    { side: 'optimized', variant: optimized.variant, detail: right },
  ].map(({ side, variant, detail }) => ({
    side,
    variant,
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
              sides.flatMap(({ side, variant, tiers }) => {
                const tier = tiers.find((each) => each.name === name);
                if (tier === undefined) return [];
                return [
                  <tr key={`${name} ${side}`}>
                    <td title={tierObjectives(tier)}>{name}</td>
                    <td>
                      <span
                        className={styles.swatch}
                        style={{ background: `var(${variantToken(variant)})` }}
                      />{' '}
                      {variant}
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
