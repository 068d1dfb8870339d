import { formatMetric } from '../../../workloads/metrics/format.ts';
import { clockText } from '../../state/timeRange.ts';
import styles from './Run.module.css';

/** Arrivals per second over the time of the traffic. */
export function Histogram({
  values,
  durationS,
}: {
  readonly values: readonly number[];
  readonly durationS: number;
}) {
  const peak = Math.max(...values, Number.MIN_VALUE);
  const width = 100 / Math.max(1, values.length);
  const bars = values.map((value, index) => ({
    at: clockText(((index + 0.5) / values.length) * durationS * 1000),
    x: index * width,
    height: value === 0 ? 0 : Math.max(0.6, (value / peak) * 47),
    value,
  }));
  return (
    <div className={styles.histogram}>
      <svg
        viewBox="0 0 100 48"
        preserveAspectRatio="none"
        role="img"
        aria-label={`Arrivals over time, peak ${formatMetric('arrivals_rps', peak)}`}
      >
        {bars.map((bar) => (
          <rect key={bar.x} x={bar.x} y={48 - bar.height} width={width * 0.86} height={bar.height}>
            <title>{`${bar.at}  ${formatMetric('arrivals_rps', bar.value)}`}</title>
          </rect>
        ))}
      </svg>
      <div className={styles.histogramAxis}>
        <span>00:00</span>
        <span>arrivals, peak {formatMetric('arrivals_rps', peak)}</span>
        <span>{clockText(durationS * 1000)}</span>
      </div>
    </div>
  );
}
