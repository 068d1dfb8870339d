import type { RunInfo } from '../../../electron/contract/protocol.ts';
import type { LineLayer } from '../../charts/layers.ts';
import { TimeChart } from '../../charts/TimeChart.tsx';
import { useRunDetail } from '../../state/runDetails.ts';
import { CdfBox } from '../compare/CdfBox.tsx';
import styles from '../compare/Compare.module.css';
import { RatioTable } from '../compare/RatioTable.tsx';
import { SpecTable } from '../compare/SpecTable.tsx';
import type { CompareSectionsProps } from '../kinds/kindViews.ts';
import { Breadcrumb } from '../live/Breadcrumb.tsx';
import { type IterationTimes, useIterationTimes } from './iterationTimes.ts';
import { KernelTable } from './KernelTable.tsx';

/** Below the verdict: ratios, distribution and times of the iterations, the variants' table, the spec. */
export function KernelSections({ comparison, baseline, optimized }: CompareSectionsProps) {
  const times = useIterationTimes(baseline, optimized);
  const isOneRun = baseline.run === optimized.run;
  return (
    <>
      <div className={styles.two}>
        {comparison.rows.length === 0 ? (
          <p className={styles.quiet}>No ratio has an interval: fewer than five rounds were measured.</p>
        ) : (
          <RatioTable rows={comparison.rows} />
        )}
        <section className={styles.panel}>
          <CdfBox
            id="cdf-kernels"
            title="Iteration time, share of rounds below"
            metric="workload_ms"
            isSimulated={false}
            curves={times.map(({ label, token, sorted, isDashed }) => ({
              label,
              token,
              values: sorted,
              n: sorted.length,
              isDashed,
            }))}
          />
        </section>
      </div>
      <OverTime key={times.map(({ label }) => label).join()} times={times} />
      <Variants run={baseline} title={isOneRun ? 'The variants' : `A · ${baseline.run}`} />
      {!isOneRun && <Variants run={optimized} title={`B · ${optimized.run}`} />}
      {!isOneRun && <SpecTable baseline={baseline} optimized={optimized} isSimulated={false} />}
    </>
  );
}

function OverTime({ times }: { readonly times: readonly IterationTimes[] }) {
  const end = Math.max(1, ...times.map(({ series }) => series.timeAt(series.length - 1)));
  return (
    <section className={styles.stack} aria-label="Iterations over time">
      <div className={styles.sectionHead}>
        <h2>Over time</h2>
        <Breadcrumb />
      </div>
      <TimeChart
        id="compare-kernels"
        title="Time of each measured iteration"
        metric="workload_ms"
        height={170}
        isSimulated={false}
        whole={() => ({ fromMs: 0, toMs: end })}
        subscribe={() => () => undefined}
        source="cuda events, the variants in turn"
        layers={times.map(
          ({ run, variant, label, token, isDashed, series }): LineLayer => ({
            kind: 'line',
            id: `${run} ${variant}`,
            label,
            token,
            metric: 'workload_ms',
            series: () => series,
            isDashed,
          }),
        )}
      />
    </section>
  );
}

function Variants({ run, title }: { readonly run: RunInfo; readonly title: string }) {
  const detail = useRunDetail(run.run, run.status);
  const summary = detail.kind === 'ready' ? detail.value.kernels : undefined;
  if (summary === undefined) return null;
  return (
    <section className={styles.stack} aria-label={title}>
      <div className={styles.sectionHead}>
        <h2>{title}</h2>
      </div>
      <div className={styles.panel}>
        <KernelTable summary={summary} />
      </div>
    </section>
  );
}
