import { SegmentedControl } from '@mantine/core';
import { useEffect, useState } from 'react';
import { metricOf } from '../../../workloads/metrics/registry.ts';
import type { CdfCurve } from '../../charts/cdfOption.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { CdfBox } from './CdfBox.tsx';
import styles from './Compare.module.css';

const metrics = ['ttft_ms', 'tpot_ms', 'e2e_ms', 'queue_ms'];
const quantiles = 400;

/** The whole distribution of a latency, both runs overlaid. */
export function CdfChart(pair: ComparedPair) {
  const [metric, setMetric] = useState('ttft_ms');
  const curves = useCurves(metric, pair);
  return (
    <section className={styles.panel}>
      <SegmentedControl
        className={styles.cdfPicker ?? ''}
        data={metrics.map((id) => ({ value: id, label: metricOf(id).label }))}
        value={metric}
        onChange={setMetric}
        aria-label="Distribution of"
        fullWidth
      />
      <CdfBox
        id="cdf"
        title={`${metricOf(metric).label}, share of requests below`}
        metric={metric}
        isSimulated={pair.isSimulated}
        curves={curves}
      />
    </section>
  );
}

function useCurves(
  metric: string,
  { baseline, optimized, names, tokens }: ComparedPair,
): readonly CdfCurve[] {
  const { client } = useWorkbench();
  const [curves, setCurves] = useState<readonly CdfCurve[]>([]);
  const [left, right] = [baseline.run, optimized.run];
  const inks = JSON.stringify(names.map((name, index) => [name, tokens[index]]));
  useEffect(() => {
    let isCurrent = true;
    const known = JSON.parse(inks) as [string, string][];
    const load = async (run: string, index: number): Promise<CdfCurve> => {
      const { values, n } = await client.request('runs.cdf', { run, metric, points: quantiles });
      const [label, token] = known[index] ?? ['', ''];
      return {
        values,
        n,
        label,
        token,
        isDashed: index === 0,
      };
    };
    void Promise.allSettled([load(left, 0), load(right, 1)]).then((results) => {
      if (isCurrent)
        setCurves(
          results.flatMap((result) =>
            result.status === 'fulfilled' && result.value.values.length > 0 ? [result.value] : [],
          ),
        );
    });
    return () => {
      isCurrent = false;
    };
  }, [client, metric, left, right, inks]);
  return curves;
}
