import { SegmentedControl } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { metricOf } from '../../../workloads/metrics/registry.ts';
import type { CdfCurve } from '../../charts/cdfOption.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { variantToken } from '../../ui/variantColour.ts';
import { CdfBox } from './CdfBox.tsx';
import styles from './Compare.module.css';

const metrics = ['ttft_ms', 'tpot_ms', 'e2e_ms', 'queue_ms'];
const quantiles = 400;

export interface ComparedPair {
  readonly baseline: RunInfo;
  readonly optimized: RunInfo;
  readonly isSimulated: boolean;
}

/** The whole distribution of a latency, both runs overlaid. */
export function CdfChart({ baseline, optimized, isSimulated }: ComparedPair) {
  const [metric, setMetric] = useState('ttft_ms');
  const curves = useCurves(metric, baseline, optimized);
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
        isSimulated={isSimulated}
        curves={curves}
      />
    </section>
  );
}

function useCurves(metric: string, baseline: RunInfo, optimized: RunInfo): readonly CdfCurve[] {
  const { client } = useWorkbench();
  const [curves, setCurves] = useState<readonly CdfCurve[]>([]);
  const [left, right] = [baseline.run, optimized.run];
  const labels = `${baseline.variant} ${optimized.variant}`;
  useEffect(() => {
    let isCurrent = true;
    const variants = labels.split(' ');
    const load = async (run: string, index: number): Promise<CdfCurve> => {
      const { values, n } = await client.request('runs.cdf', { run, metric, points: quantiles });
      const label = variants[index] ?? '';
      return {
        values,
        n,
        label,
        token: variants[0] === variants[1] && index === 1 ? '--other-variant' : variantToken(label),
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
  }, [client, metric, left, right, labels]);
  return curves;
}
