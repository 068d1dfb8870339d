import { ActionIcon, Button } from '@mantine/core';
import { IconPlayerPlay, IconX } from '@tabler/icons-react';
import type { SweepContents } from '../../../electron/contract/sweeps.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { metricLabel } from '../../../workloads/metrics/registry.ts';
import { sweepStore, takePoint } from '../../state/sweepStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import styles from './Sweep.module.css';

const shown = [
  'ttft_ms.p50',
  'ttft_ms.p99',
  'tpot_ms.p50',
  'tpot_ms.p99',
  'e2e_ms.p95',
  'goodput_rps',
  'throughput_rps',
  'output_tokens_per_s',
  'prefix_hit_rate',
  'rejected',
];

/** One point: its setting, what came of it, and the way to a whole run of it. */
export function PointPanel({
  contents,
  index,
}: {
  readonly contents: SweepContents;
  readonly index: number;
}) {
  const workbench = useWorkbench();
  const point = contents.points.find((each) => each.index === index);
  if (point === undefined) return null;
  return (
    <section className={styles.point} data-testid="sweep-point" aria-label={`Point ${index}`}>
      <header className={styles.pointHead}>
        <h2>Point {index}</h2>
        <span className={styles.setting}>
          {Object.entries(point.values).map(([name, value]) => (
            <span key={name}>
              {name} <b>{String(value)}</b>
            </span>
          ))}
          <span>
            GPUs <b>{point.gpus}</b>
          </span>
        </span>
        <span className={styles.gap} />
        {point.error === undefined && (
          <>
            <Button size="compact-xs" variant="default" onClick={() => takePoint(workbench, index, false)}>
              Set up in Run
            </Button>
            <Button
              size="compact-xs"
              leftSection={<IconPlayerPlay size={12} />}
              onClick={() => takePoint(workbench, index, true)}
            >
              Run with all detail
            </Button>
          </>
        )}
        <ActionIcon
          size={20}
          aria-label="Close the point"
          onClick={() => sweepStore.setState({ selected: undefined })}
        >
          <IconX size={13} />
        </ActionIcon>
      </header>
      {point.error === undefined ? (
        <dl className={styles.figures}>
          {shown.flatMap((id) => {
            const value = point.figures[id];
            return value === undefined
              ? []
              : [
                  <div key={id}>
                    <dt>{metricLabel(id)}</dt>
                    <dd title={formatMetric(id, value, true)}>{formatMetric(id, value)}</dd>
                  </div>,
                ];
          })}
        </dl>
      ) : (
        <p className={`${styles.why} selectable`}>{point.error}</p>
      )}
    </section>
  );
}
