import { useRef } from 'react';
import { threeFigures } from '../../../workloads/metrics/format.ts';
import { type PointSource, totalWork } from '../../../workloads/roofline/point.ts';
import type { Precision } from '../../../workloads/roofline/precision.ts';
import chartStyles from '../../charts/Chart.module.css';
import { ChartBox } from '../../charts/ChartBox.tsx';
import { flops, rooflineMargin, rooflineOption } from '../../charts/rooflineOption.ts';
import { type Assessed, nearest, plotOf, roofsOf, sourceGlyph } from './plot.ts';
import styles from './Roofline.module.css';
import type { Explored } from './whatIf.ts';

interface RooflineChartProps {
  readonly explored: Explored;
  readonly points: readonly Assessed[];
  readonly selected: string | undefined;
  readonly onSelect: (id: string) => void;
}

const legend = [
  { label: 'prefill over prompt', token: '--prefill' },
  { label: 'decode over batch', token: '--decode' },
  { label: 'decode over context', token: '--mixed' },
];

export function RooflineChart({ explored, points, selected, onSelect }: RooflineChartProps) {
  const area = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const { ceilings, setting, overBatch, overContext, overPrompt } = explored;
  const shown = precisionsOf(setting.format.compute, points);
  const roofs = roofsOf(ceilings, shown);
  const line = (curve: Explored['overBatch']) =>
    curve.map(({ assessment }) => [assessment.intensity.hbm ?? 0, assessment.attainable] as const);
  const plot = plotOf(
    points,
    [
      { token: '--decode', points: line(overBatch) },
      { token: '--mixed', points: line(overContext) },
      { token: '--prefill', points: line(overPrompt) },
    ],
    roofs,
    selected,
  );
  const under = (event: { readonly clientX: number; readonly clientY: number }) => {
    const box = area.current?.getBoundingClientRect();
    if (box === undefined) return undefined;
    const at = { x: event.clientX - box.left, y: event.clientY - box.top };
    return { at, box, point: nearest(plot, at, box) };
  };
  const hover = (event: { readonly clientX: number; readonly clientY: number } | undefined) => {
    const found = event === undefined ? undefined : under(event);
    const element = tip.current;
    if (element === null) return;
    element.style.visibility = found?.point === undefined ? 'hidden' : 'visible';
    if (found?.point === undefined) return;
    const { at, box, point } = found;
    const own = points.find((each) => each.point.id === point.id);
    element.style.left = at.x < box.width / 2 ? `${at.x + 12}px` : 'auto';
    element.style.right = at.x < box.width / 2 ? 'auto' : `${box.width - at.x + 12}px`;
    element.style.top = `${Math.max(0, at.y - 20)}px`;
    element.textContent = [
      own?.point.label ?? point.label,
      `${threeFigures(point.x)} FLOP/B · ${flops(point.y)}`,
      own?.assessment?.verdict ?? '',
      `${own?.point.source ?? ''}`,
    ].join('\n');
  };
  const sources = [...new Set(points.map(({ point }) => point.source))];
  return (
    <ChartBox
      id="roofline"
      title={`${explored.model.label} on ${setting.tensorParallel > 1 ? `${setting.tensorParallel} × ` : ''}${explored.gpu.label}`}
      unit="per GPU; HBM, L2 and L1 joined"
      height={372}
      isSimulated={sources.includes('simulated')}
      legend={legend}
      legendNode={
        <>
          {sources.map((source) => (
            <span key={source} className={chartStyles.legendItem}>
              {glyph(source)} {source}
            </span>
          ))}
          {legend.map(({ label, token }) => (
            <span key={label} className={chartStyles.legendItem} style={{ color: `var(${token})` }}>
              <span className={chartStyles.swatch} /> <span className={styles.legendText}>{label}</span>
            </span>
          ))}
        </>
      }
      draw={(chart) => {
        chart.setOption(rooflineOption(plot), { notMerge: true, silent: true });
        return { points: plot.points.length, last: plot.points[0]?.x ?? Number.NaN };
      }}
      overlay={
        <div
          ref={area}
          className={`${chartStyles.overlay} ${styles.plotArea}`}
          style={{
            left: rooflineMargin.left,
            right: rooflineMargin.right,
            top: rooflineMargin.top,
            bottom: rooflineMargin.bottom,
          }}
          onPointerMove={hover}
          onPointerLeave={() => hover(undefined)}
          onPointerDown={(event) => {
            const point = under(event)?.point;
            if (point !== undefined) onSelect(point.id);
          }}
        >
          <div ref={tip} className={`${chartStyles.tip} ${styles.tip}`} role="tooltip" />
        </div>
      }
    />
  );
}

const glyph = (source: PointSource): string => sourceGlyph[source];

/** The roofs that something on the plot computes under. */
function precisionsOf(own: Precision, points: readonly Assessed[]): readonly Precision[] {
  const used = new Set<Precision>([own]);
  if (own !== 'bf16') used.add('bf16');
  for (const { point } of points) {
    const total = totalWork(point);
    // A sliver of another format (an epilogue's FP32) is no reason for a roof.
    for (const precision of Object.keys(point.work) as Precision[])
      if ((point.work[precision] ?? 0) > total / 100) used.add(precision);
  }
  return [...used];
}
