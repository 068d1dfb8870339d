import { absentText, threeFigures } from '../../../workloads/metrics/format.ts';
import { mainPrecision, totalWork } from '../../../workloads/roofline/point.ts';
import { precisionLabel } from '../../../workloads/roofline/precision.ts';
import { amount, duration } from './PointInspector.tsx';
import { type Assessed, sourceGlyph, timeShares } from './plot.ts';
import styles from './Roofline.module.css';

const mostRows = 300;

interface PointTableProps {
  readonly points: readonly Assessed[];
  readonly selected: string | undefined;
  readonly onSelect: (id: string) => void;
}

/** Kernels and passes, the largest share of their source's time first. */
export function PointTable({ points, selected, onSelect }: PointTableProps) {
  const shares = timeShares(points);
  const rows = [...points].sort((a, b) => (shares.get(b.point.id) ?? 2) - (shares.get(a.point.id) ?? 2));
  return (
    <section className={styles.tableBox} aria-label="Points">
      <table className={styles.table} data-testid="points" data-rows={rows.length}>
        <thead>
          <tr>
            <th>Kernel or pass</th>
            <th>Source</th>
            <th>Share</th>
            <th>Time</th>
            <th>Work</th>
            <th>HBM</th>
            <th>FLOP/B</th>
            <th>Bound</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, mostRows).map(({ point, assessment }) => {
            const precision = mainPrecision(point);
            const share = shares.get(point.id);
            return (
              <tr key={point.id} data-selected={point.id === selected} onClick={() => onSelect(point.id)}>
                <td title={point.label}>
                  <button type="button" onClick={() => onSelect(point.id)}>
                    {point.label}
                  </button>
                </td>
                <td>
                  {sourceGlyph[point.source]} {point.source}
                </td>
                <td>{share === undefined ? absentText : `${threeFigures(share * 100)} %`}</td>
                <td title={point.timeNs === undefined ? 'lower bound by formula' : ''}>
                  {point.timeNs !== undefined
                    ? duration(point.timeNs)
                    : assessment === undefined
                      ? absentText
                      : `≥ ${duration(assessment.bestNs)}`}
                </td>
                <td title={precision === undefined ? '' : precisionLabel[precision]}>
                  {precision === undefined ? absentText : amount(totalWork(point), 'FLOP')}
                </td>
                <td>{point.bytes.hbm === undefined ? absentText : amount(point.bytes.hbm, 'B')}</td>
                <td>
                  {assessment?.intensity.hbm === undefined
                    ? absentText
                    : threeFigures(assessment.intensity.hbm)}
                </td>
                <td className={styles.boundCell} title={assessment?.verdict}>
                  {assessment?.verdict ?? 'no ceiling applies'}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length > mostRows && (
        <p className={styles.quiet}>
          The first {mostRows} of {rows.length}.
        </p>
      )}
    </section>
  );
}
