import { useEffect, useState } from 'react';
import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { compare, openRun } from '../../state/actions.ts';
import { pairsOf } from '../../state/runsStore.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { EngineBadge } from '../../ui/EngineBadge.tsx';
import { when } from '../../ui/number.ts';
import { Sparkline } from '../../ui/Sparkline.tsx';
import { StatusName } from '../../ui/StatusName.tsx';
import { VariantName } from '../../ui/VariantName.tsx';
import { variantToken } from '../../ui/variantColour.ts';
import styles from './Home.module.css';

const metric = 'ttft_ms.p95';

/** One press of a button: its runs, their latency over time, the verdict. */
export function RunCard({ runs: latestFirst }: { readonly runs: readonly RunInfo[] }) {
  const runs = latestFirst.toReversed();
  const workbench = useWorkbench();
  const [first] = runs;
  const [pair] = pairsOf(runs.filter((run) => run.status === 'done'));
  const lines = useSparklines(runs);
  const verdict = useVerdict(pair?.baseline.run, pair?.optimized.run);
  if (first === undefined) return null;
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
        <Sparkline lines={lines} width={300} height={43} label="TTFT p95 over time" />
      </span>
      <span className={styles.cardVerdict}>{verdict ?? headline(first)}</span>
      <span className={styles.cardFoot}>
        <span>TTFT p95 over time</span>
        <span>{first.requests === undefined ? '' : formatMetric('arrived', first.requests)} requests</span>
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
  const key = runs.map((run) => `${run.run} ${run.status}`).join();
  useEffect(() => {
    let isCurrent = true;
    const ids = key.split(',').map((part) => part.split(' ')[0] ?? '');
    const loads = ids.map(async (run) => {
      const { series } = await client.request('runs.series', {
        run,
        series: [{ source: 'cluster', metric }],
        width: 60,
      });
      const points = series[0]?.points ?? new Float64Array(0);
      return Array.from({ length: points.length / 4 }, (_, row) => points[row * 4 + 3] ?? Number.NaN);
    });
    void Promise.allSettled(loads).then((results) => {
      if (isCurrent)
        setLines(
          results.map((result, index) => ({
            token: String(index),
            values: result.status === 'fulfilled' ? result.value : [],
          })),
        );
    });
    return () => {
      isCurrent = false;
    };
  }, [client, key]);
  return lines.map((line, index) => ({
    values: line.values,
    token: variantToken(runs[index]?.variant ?? ''),
  }));
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
      () => undefined,
    );
    return () => {
      isCurrent = false;
    };
  }, [client, baseline, optimized]);
  return verdict;
}
