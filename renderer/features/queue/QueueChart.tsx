import { SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import type { QueuePoint } from '../../../electron/contract/queueLab.ts';
import chartStyles from '../../charts/Chart.module.css';
import { ChartBox } from '../../charts/ChartBox.tsx';
import { queueCurveOption } from '../../charts/queueCurveOption.ts';
import styles from './Queue.module.css';

type Shown = 'wq' | 'w';

/** Mean wait over load: simulated points with their intervals, theory as a line. */
export function QueueChart({ points }: { readonly points: readonly QueuePoint[] }) {
  const [shown, setShown] = useState<Shown>('wq');
  const exact = points.find((point) => point.exact !== undefined)?.exact;
  return (
    <section>
      <SegmentedControl
        className={styles.picker ?? ''}
        size="xs"
        data={[
          { value: 'wq', label: 'Wait' },
          { value: 'w', label: 'Time in the system' },
        ]}
        value={shown}
        onChange={(value) => setShown(value === 'w' ? 'w' : 'wq')}
        aria-label="Curve of"
      />
      <ChartBox
        id="queue"
        title={shown === 'wq' ? 'Mean wait' : 'Mean time in the system'}
        unit="mean service times"
        height={320}
        isSimulated
        legend={[
          { label: 'simulated', token: '--accent' },
          ...(exact === undefined ? [] : [{ label: exact.name, token: '--text-3' }]),
        ]}
        legendNode={
          <>
            <span className={chartStyles.legendItem} style={{ color: 'var(--accent)' }}>
              ● <span className={styles.legendText}>simulated, 95 % interval</span>
            </span>
            {exact !== undefined && (
              <span className={chartStyles.legendItem} style={{ color: 'var(--text-3)' }}>
                <span className={chartStyles.swatch} data-dashed="true" />{' '}
                <span className={styles.legendText}>
                  {exact.name}
                  {exact.isApproximation ? ' (approximation)' : ' (exact)'}
                </span>
              </span>
            )}
          </>
        }
        draw={(chart) => {
          chart.setOption(
            queueCurveOption(
              points.map(({ rho, result, exact: formula }) => ({
                load: rho,
                value: result[shown],
                interval: result.ci95[shown],
                exact: formula?.[shown],
              })),
            ),
            { notMerge: true, silent: true },
          );
          return { points: points.length, last: points.at(-1)?.result[shown] ?? Number.NaN };
        }}
      />
    </section>
  );
}
