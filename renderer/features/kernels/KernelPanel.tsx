import { useEffect, useState } from 'react';
import type { KernelSummary } from '../../../workloads/kernels/kernelSummary.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import type { RunData } from '../../state/runData.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { VariantName } from '../../ui/VariantName.tsx';
import styles from './Kernels.module.css';
import { KernelTable } from './KernelTable.tsx';
import { TopologyFindings } from './TopologyFindings.tsx';

interface KernelPanelProps {
  /** Absent while the run goes on, and where it was interrupted. */
  readonly summary: KernelSummary | undefined;
  readonly verdict: string | undefined;
}

/** The figures of a run of kernels: its medians so far while it goes on, then verdict, table and findings. */
export function KernelPanel({ summary, verdict }: KernelPanelProps) {
  if (summary === undefined) return <SoFar />;
  return (
    <section className={styles.panel} aria-label="Kernels">
      {verdict !== undefined && (
        <p className={`${styles.verdict} selectable`} data-testid="kernel-verdict">
          {verdict}
        </p>
      )}
      <p className={styles.facts}>
        {summary.device.name} · {summary.iterations} rounds, the variants in turn, after {summary.warm_up} of
        warm-up ·{' '}
        <span data-status={summary.verification.status} title={summary.verification.method}>
          verification {summary.verification.status.replaceAll('_', ' ')}
        </span>
      </p>
      <KernelTable summary={summary} />
      <TopologyFindings findings={summary.findings} />
    </section>
  );
}

interface MedianSoFar {
  readonly variant: string;
  readonly n: number;
  readonly text: string;
}
const updateEveryMs = 250;

function SoFar() {
  const { live } = useWorkbench();
  const [medians, setMedians] = useState<readonly MedianSoFar[]>([]);
  useEffect(() => {
    const look = () => {
      const next = live.data === undefined ? [] : mediansOf(live.data);
      setMedians((known) => (JSON.stringify(known) === JSON.stringify(next) ? known : next));
    };
    look();
    const timer = setInterval(look, updateEveryMs);
    return () => clearInterval(timer);
  }, [live]);
  return (
    <section className={styles.panel} aria-label="Kernels">
      <div className={styles.soFar} data-testid="kernels-so-far">
        {medians.length === 0 && <span className={styles.facts}>Preparing inputs and warming up …</span>}
        {medians.map(({ variant, n, text }) => (
          <span key={variant} className={styles.tile}>
            <VariantName variant={variant} />
            <b>{text}</b>
            <span className={styles.facts}>median of {n} so far</span>
          </span>
        ))}
      </div>
    </section>
  );
}

export function mediansOf(data: RunData): readonly MedianSoFar[] {
  return data.sources('variant:').flatMap((source) => {
    const series = data.series(source, 'workload_ms');
    if (series === undefined || series.length === 0) return [];
    const values = Float64Array.from({ length: series.length }, (_, i) => series.valueAt(i)).sort();
    const middle = values[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
    return [
      {
        variant: source.slice('variant:'.length),
        n: series.samples,
        text: formatMetric('workload_ms', middle),
      },
    ];
  });
}
