import { SegmentedControl, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import type { SweepContents } from '../../../electron/contract/sweeps.ts';
import type { SweepPoint } from '../../../workloads/harness/sweep/point.ts';
import { formatMetric, withSeparators } from '../../../workloads/metrics/format.ts';
import { sweepStore } from '../../state/sweepStore.ts';
import { objectiveLabel } from './figures.ts';
import styles from './Sweep.module.css';

const most = 200;

/** The front, or all points by the first objective. */
export function SweepTable({
  contents,
  selected,
}: {
  readonly contents: SweepContents;
  readonly selected: number | undefined;
}) {
  const [which, setWhich] = useState<'front' | 'all'>('front');
  const [order, setOrder] = useState<number>();
  const { spec, points, front } = contents;
  const byIndex = new Map(points.map((point) => [point.index, point]));
  const onFront = new Set(front);
  const rows = which === 'all' ? [...points] : front.flatMap((index) => byIndex.get(index) ?? []);
  const objective = order === undefined ? undefined : spec.objectives[order];
  if (order !== undefined && objective !== undefined) {
    const sign = objective.better === 'lower' ? 1 : -1;
    const costOf = (point: SweepPoint) => {
      const figure = point.objectives[order];
      return typeof figure === 'number' ? sign * figure : Number.POSITIVE_INFINITY;
    };
    rows.sort((a, b) => costOf(a) - costOf(b));
  }
  return (
    <section>
      <div className={styles.tableHead}>
        <SegmentedControl
          size="xs"
          data={[
            { value: 'front', label: `Front (${front.length})` },
            { value: 'all', label: `All (${withSeparators(String(points.length))})` },
          ]}
          value={which}
          onChange={(value) => setWhich(value === 'all' ? 'all' : 'front')}
          aria-label="Points shown"
        />
        {rows.length > most && <span className={styles.quiet}>the first {most} rows</span>}
      </div>
      <div className={styles.tableBox}>
        <table className={styles.table} data-testid="sweep-points">
          <thead>
            <tr>
              <th>point</th>
              {spec.axes.map(({ parameter }) => (
                <th key={parameter}>{parameter}</th>
              ))}
              {spec.objectives.map((each, i) => (
                <th key={objectiveLabel(each)} aria-sort={order === i ? 'ascending' : 'none'}>
                  <button type="button" onClick={() => setOrder(order === i ? undefined : i)}>
                    {objectiveLabel(each)} {each.better === 'lower' ? '▼' : '▲'}
                    {order === i ? ' ●' : ''}
                  </button>
                </th>
              ))}
              <th>
                <VisuallyHidden>Actions</VisuallyHidden>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, most).map((point) => (
              <tr key={point.index} data-selected={point.index === selected}>
                <td>
                  <button type="button" onClick={() => sweepStore.setState({ selected: point.index })}>
                    {onFront.has(point.index) ? '◆ ' : ''}
                    {point.index}
                  </button>
                </td>
                {spec.axes.map(({ parameter }) => (
                  <td key={parameter}>{String(point.values[parameter] ?? '')}</td>
                ))}
                {spec.objectives.map((each, i) => {
                  const figure = point.objectives[i];
                  return (
                    <td key={objectiveLabel(each)}>
                      {typeof figure === 'number' ? formatMetric(each.metric, figure) : '–'}
                    </td>
                  );
                })}
                <td className={styles.why} title={point.error}>
                  {point.error ?? (point.violation > 0 ? 'misses a constraint' : '')}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
