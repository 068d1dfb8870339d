import { SegmentedControl } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import { metricOf } from '../../../workloads/metrics/registry.ts';
import chartStyles from '../../charts/Chart.module.css';
import { ChartBox } from '../../charts/ChartBox.tsx';
import { type CdfCurve, cdfExtent, cdfMargin, cdfOption, shareBelow } from '../../charts/cdfOption.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { variantToken } from '../../ui/variantColour.ts';
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
  const area = useRef<HTMLDivElement>(null);
  const line = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);

  const hover = (clientX: number | undefined) => {
    const element = area.current;
    if (element === null || line.current === null || tip.current === null) return;
    const isInside = clientX !== undefined && curves.length > 0;
    line.current.style.visibility = isInside ? 'visible' : 'hidden';
    tip.current.style.visibility = isInside ? 'visible' : 'hidden';
    if (!isInside) return;
    const { left, width } = element.getBoundingClientRect();
    const x = clientX - left;
    const [low, high] = cdfExtent(curves);
    const value = low * (high / low) ** (x / width);
    line.current.style.transform = `translateX(${x}px)`;
    tip.current.style.left = x < width / 2 ? `${x + 10}px` : 'auto';
    tip.current.style.right = x < width / 2 ? 'auto' : `${width - x + 10}px`;
    tip.current.textContent = [
      `≤ ${formatMetric(metric, value)}`,
      ...curves.map(
        (curve) =>
          `${curve.label} ${formatMetric('good_share', shareBelow(curve.values, value))} (n ${curve.n})`,
      ),
    ].join('\n');
  };

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
      <ChartBox
        id="cdf"
        title={`${metricOf(metric).label}, share of requests below`}
        unit=""
        height={236}
        isSimulated={isSimulated}
        legend={curves.map(({ label, token }) => ({ label, token }))}
        draw={(chart) => {
          chart.setOption(cdfOption(curves, metric), { notMerge: true, silent: true });
          return {
            points: curves.reduce((sum, curve) => sum + curve.values.length, 0),
            last: curves.at(-1)?.values.at(-1) ?? Number.NaN,
          };
        }}
        overlay={
          <div
            ref={area}
            className={chartStyles.overlay}
            style={{ left: cdfMargin.left, right: cdfMargin.right }}
            onPointerMove={(event) => hover(event.clientX)}
            onPointerLeave={() => hover(undefined)}
          >
            <div ref={line} className={chartStyles.cursor} />
            <div ref={tip} className={`${chartStyles.tip} ${styles.cdfTip}`} role="tooltip" />
          </div>
        }
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
