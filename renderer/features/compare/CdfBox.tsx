import { useRef } from 'react';
import { formatMetric } from '../../../workloads/metrics/format.ts';
import chartStyles from '../../charts/Chart.module.css';
import { ChartBox } from '../../charts/ChartBox.tsx';
import { type CdfCurve, cdfExtent, cdfMargin, cdfOption, shareBelow } from '../../charts/cdfOption.ts';
import styles from './Compare.module.css';
import { LineKey } from './LineKey.tsx';

interface CdfBoxProps {
  readonly id: string;
  readonly title: string;
  readonly metric: string;
  readonly curves: readonly CdfCurve[];
  readonly isSimulated: boolean;
}

/** Distributions over each other; hovering reads each one's share below a value. */
export function CdfBox({ id, title, metric, curves, isSimulated }: CdfBoxProps) {
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
    <ChartBox
      id={id}
      title={title}
      unit=""
      height={236}
      isSimulated={isSimulated}
      legend={curves.map(({ label, token }) => ({ label, token }))}
      legendNode={
        curves.length > 2 &&
        curves.map((curve) => (
          <span key={curve.label} className={styles.barLegend} title={curve.label}>
            <LineKey token={curve.token} dash={curve.dash} />
          </span>
        ))
      }
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
  );
}
