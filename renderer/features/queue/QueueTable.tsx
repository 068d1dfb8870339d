import type { QueuePoint } from '../../../electron/contract/queueLab.ts';
import { formatMetric, threeFigures } from '../../../workloads/metrics/format.ts';
import styles from './Queue.module.css';

const columns = [
  'ρ',
  'mean wait',
  '95 % CI',
  'theory',
  'error against theory',
  'time in system p50',
  'p95',
  'p99',
  'queue length',
  'busy',
  'lost',
];

/** The figures behind the curve, each beside its formula. */
export function QueueTable({ points }: { readonly points: readonly QueuePoint[] }) {
  return (
    <div className={styles.tableBox}>
      <table className={styles.table} data-testid="queue-table">
        <thead>
          <tr>
            {columns.map((title) => (
              <th key={title} title={meanings[title]}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {points.map(({ rho, result, exact }) => (
            <tr key={rho}>
              <td>{rho}</td>
              <td title={String(result.wq)}>{threeFigures(result.wq)}</td>
              <td>{result.ci95.wq.map(threeFigures).join('–')}</td>
              <td title={exact?.name}>
                {exact === undefined ? '–' : `${exact.isApproximation ? '≈ ' : ''}${threeFigures(exact.wq)}`}
              </td>
              <td>
                {exact === undefined || exact.wq === 0
                  ? '–'
                  : `${(100 * (result.wq / exact.wq - 1)).toFixed(1)} %`}
              </td>
              <td>{threeFigures(result.p50_w)}</td>
              <td>{threeFigures(result.p95_w)}</td>
              <td>{threeFigures(result.p99_w)}</td>
              <td>{threeFigures(result.lq)}</td>
              <td>{formatMetric('busy', result.utilisation)}</td>
              <td>{formatMetric('busy', result.blocked)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const meanings: Readonly<Record<string, string>> = {
  ρ: 'offered load per server',
  'mean wait': 'mean wait before service, in mean service times',
  '95 % CI': 'by batch means',
  theory: 'the formula’s mean wait',
  'error against theory': 'simulated against the formula',
  'time in system p50': 'wait and service together',
  p95: 'time in the system: wait and service together',
  p99: 'time in the system: wait and service together',
  'queue length': 'mean number of jobs that wait',
  busy: 'busy servers ÷ servers',
  lost: 'share of the arrivals that found no room',
};
