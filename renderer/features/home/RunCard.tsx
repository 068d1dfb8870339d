import { useEffect, useState } from 'react';
import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { compare, openRun } from '../../state/actions.ts';
import type { SparkSeries } from '../../state/kinds/runKind.ts';
import { kindOf } from '../../state/kinds/runKinds.ts';
import { when } from '../../state/number.ts';
import { pairsOf } from '../../state/runsStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EngineBadge } from '../../ui/EngineBadge.tsx';
import { Sparkline } from '../../ui/Sparkline.tsx';
import { StatusName } from '../../ui/StatusName.tsx';
import { VariantName } from '../../ui/VariantName.tsx';
import { variantToken } from '../../ui/variantColour.ts';
import styles from './Home.module.css';

/** One press of a button: its runs, their latency over time, the verdict. */
export function RunCard({ runs: latestFirst }: { readonly runs: readonly RunInfo[] }) {
  const runs = latestFirst.toReversed();
  const [first] = runs;
  const workbench = useWorkbench();
  const [pair] = pairsOf(runs.filter((run) => run.status === 'done'));
  const lines = useSparklines(runs);
  const found = useVerdict(pair?.baseline.run, pair?.optimized.run);
  const verdict = first?.kernel?.verdict ?? found;
  if (first === undefined) return null;
  const { sparkTitle, size } = kindOf(first);
  const open = () =>
    pair === undefined
      ? openRun(workbench, first)
      : compare(workbench, pair.baseline.run, pair.optimized.run);
  return (
    <button type="button" className={styles.card} onClick={open}>
      <span className={styles.cardHead}>
        {first.title.split(' · ')[0]}
        <span className={styles.cardTime}>{when(first.started)}</span>
      </span>
      <span className={styles.cardLine}>
        {runs.map((run) => (
          <VariantName key={run.run} variant={run.variant} />
        ))}
        <EngineBadge engine={first.engine} />
        {runs.some((run) => run.status !== 'done') && (
          <StatusName status={runs.find((run) => run.status !== 'done')?.status ?? 'done'} />
        )}
      </span>
      <span className={styles.cardSpark}>
        <Sparkline lines={lines} width={300} height={43} label={sparkTitle} />
      </span>
      <span className={styles.cardVerdict}>{verdict ?? headline(first)}</span>
      <span className={styles.cardFoot}>
        <span>{sparkTitle}</span>
        <span>{size(first)}</span>
      </span>
    </button>
  );
}

function headline({ headline: { ttft_p95_ms, goodput_rps }, status }: RunInfo): string {
  if (ttft_p95_ms === undefined)
    return status === 'interrupted' ? 'Interrupted; the rows until then are kept.' : 'No summary.';
  const goodput = goodput_rps === undefined ? '' : `, goodput ${formatMetric('goodput_rps', goodput_rps)}`;
  return `TTFT p95 ${formatMetric('ttft_ms', ttft_p95_ms)}${goodput}`;
}

function useSparklines(runs: readonly RunInfo[]) {
  const { client } = useWorkbench();
  const [lines, setLines] = useState<
    readonly { readonly token: string; readonly values: readonly number[] }[]
  >([]);
  const key = JSON.stringify(runs.map((run) => [run.run, run.status, kindOf(run).sparkSeries(run)]));
  useEffect(() => {
    let isCurrent = true;
    const wanted = JSON.parse(key) as readonly (readonly [string, string, readonly SparkSeries[]])[];
    const loads = wanted.map(async ([run, , own]) => {
      const { series } = await client.request('runs.series', {
        run,
        series: own.map(({ source, metric: id }) => ({ source, metric: id })),
        width: 60,
      });
      return own.map(({ variant }, index) => {
        const points = series[index]?.points ?? new Float64Array(0);
        return {
          token: variantToken(variant),
          values: Array.from({ length: points.length / 4 }, (_, row) => points[row * 4 + 3] ?? Number.NaN),
        };
      });
    });
    void Promise.allSettled(loads).then((results) => {
      if (isCurrent)
        setLines(results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [])));
    });
    return () => {
      isCurrent = false;
    };
  }, [client, key]);
  return lines;
}

function useVerdict(baseline: string | undefined, optimized: string | undefined): string | undefined {
  const { client } = useWorkbench();
  const [verdict, setVerdict] = useState<string>();
  useEffect(() => {
    if (baseline === undefined || optimized === undefined) return;
    let isCurrent = true;
    void client.request('runs.compare', { baseline, optimized }).then(
      (result) => {
        if (isCurrent) setVerdict(result.verdict);
      },
      // The card shows no verdict; the compare view says why there is none.
      () => undefined,
    );
    return () => {
      isCurrent = false;
    };
  }, [client, baseline, optimized]);
  return verdict;
}
