import { SegmentedControl } from '@mantine/core';
import { useEffect, useState } from 'react';
import { metricOf } from '../../../workloads/metrics/registry.ts';
import type { CdfCurve } from '../../charts/cdfOption.ts';
import { type ComparedRun, comparedSet, usePinnedRuns } from '../../state/comparedSet.ts';
import type { ComparedPair } from '../../state/runNames.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { CdfBox } from './CdfBox.tsx';
import styles from './Compare.module.css';

const metrics = ['ttft_ms', 'tpot_ms', 'e2e_ms', 'queue_ms'];
const quantiles = 400;

/** The whole distribution of a latency, all runs overlaid. */
export function CdfChart(pair: ComparedPair) {
  const [metric, setMetric] = useState('ttft_ms');
  const pinned = usePinnedRuns(pair.baseline, pair.optimized);
  const [left, right, ...more] = comparedSet(pair.baseline, pair.optimized, pinned);
  const both = [left, right].flatMap((each, index) =>
    each === undefined ? [] : [{ ...each, name: pair.names[index === 0 ? 0 : 1] }],
  );
  const set = pinned.length === 0 ? both : [left, right, ...more].filter((each) => each !== undefined);
  const curves = useCurves(metric, set);
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

function useCurves(metric: string, set: readonly ComparedRun[]): readonly CdfCurve[] {
  const { client } = useWorkbench();
  const [curves, setCurves] = useState<readonly CdfCurve[]>([]);
  const looks = JSON.stringify(
    set.map(({ run, name, token, dash }) => ({ run: run.run, label: name, token, dash })),
  );
  useEffect(() => {
    let isCurrent = true;
    const wanted = JSON.parse(looks) as (Pick<CdfCurve, 'label' | 'token' | 'dash'> & { run: string })[];
    const load = async ({ run, ...look }: (typeof wanted)[number]): Promise<CdfCurve> => {
      const { values, n } = await client.request('runs.cdf', { run, metric, points: quantiles });
      return { values, n, ...look };
    };
    void Promise.allSettled(wanted.map(load)).then((results) => {
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
  }, [client, metric, looks]);
  return curves;
}
