import { Tooltip } from '@mantine/core';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import styles from './Run.module.css';

interface QuantileBarProps {
  readonly label: string;
  /** At equal steps from 0 to 1. */
  readonly quantiles: readonly number[];
  readonly token: string;
}

/** A length distribution in one line: p5 to p95 as a bar on a log scale, the median marked. */
export function QuantileBar({ label, quantiles, token }: QuantileBarProps) {
  const at = (q: number) => quantiles[Math.round(q * (quantiles.length - 1))] ?? 0;
  const max = Math.max(at(1), 2);
  const place = (value: number) => (Math.log(Math.max(1, value)) / Math.log(max)) * 100;
  const text = (value: number) => formatMetric('arrived', Math.round(value));
  return (
    <Tooltip
      label={`p5 ${text(at(0.05))} · p50 ${text(at(0.5))} · p95 ${text(at(0.95))} · max ${text(at(1))} tokens`}
    >
      <div className={styles.quantile}>
        <span className={styles.quantileLabel}>{label}</span>
        <span className={styles.quantileTrack}>
          <span
            style={{
              left: `${place(at(0.05))}%`,
              width: `${Math.max(1, place(at(0.95)) - place(at(0.05)))}%`,
              background: `var(${token})`,
              opacity: 0.45,
            }}
          />
          <span style={{ left: `calc(${place(at(0.5))}% - 1px)`, width: 2, background: `var(${token})` }} />
        </span>
        <span className={styles.quantileText}>
          p50 {text(at(0.5))} · p95 {text(at(0.95))} tok
        </span>
      </div>
    </Tooltip>
  );
}
