import type { Layer, LineLayer } from '../../../charts/layers.ts';
import { TimeChart } from '../../../charts/TimeChart.tsx';
import { useWorkbench } from '../../../state/workbench.ts';
import { variantToken } from '../../../ui/variantColour.ts';
import type { LivePanel, LivePanelProps } from '../livePanel.ts';

/** p50 as a line, p50–p95 and p95–p99 as bands, the pinned baseline faint behind them, and the objective. */
function Latency({
  metric,
  title,
  axis,
  variant,
  baselineVariant,
  engine,
  isLog,
  detail,
}: LivePanelProps & { readonly metric: 'ttft_ms' | 'tpot_ms' }) {
  const { live } = useWorkbench();
  const token = variantToken(variant);
  const now = (id: string) => () => live.data?.series('cluster', id);
  const before = (id: string) => () => live.baselineData?.series('cluster', id);
  const slo = detail?.slo[metric];
  const layers: Layer[] = [
    {
      kind: 'band',
      id: 'tail',
      label: 'p95–p99',
      token,
      metric,
      lower: now(`${metric}.p95`),
      upper: now(`${metric}.p99`),
      opacity: 0.13,
      isQuiet: true,
    },
    {
      kind: 'band',
      id: 'body',
      label: 'p50–p95',
      token,
      metric,
      lower: now(`${metric}.p50`),
      upper: now(`${metric}.p95`),
      opacity: 0.26,
      isQuiet: true,
    },
    { kind: 'line', id: 'p50', label: 'p50', token, metric, series: now(`${metric}.p50`) },
    edge('p95', metric, token, now(`${metric}.p95`)),
    edge('p99', metric, token, now(`${metric}.p99`)),
    {
      kind: 'line',
      id: 'base-p50',
      label: 'p50 before',
      token: variantToken(baselineVariant),
      metric,
      series: before(`${metric}.p50`),
      isFaint: true,
      isQuiet: true,
    },
    {
      kind: 'line',
      id: 'base-p95',
      label: `${baselineVariant} p95`,
      token: variantToken(baselineVariant),
      metric,
      series: before(`${metric}.p95`),
      isFaint: true,
      isDashed: true,
      isQuiet: live.baselineData === undefined,
    },
    ...(slo === undefined
      ? []
      : [{ kind: 'threshold' as const, id: 'slo', label: 'SLO', token: '--fault', metric, value: slo }]),
  ];
  return (
    <TimeChart
      {...axis}
      id={metric.replace('_ms', '')}
      title={title}
      metric={metric}
      height={150}
      isLog={isLog}
      layers={layers}
      source={`${engine}, sliding window over the cluster`}
    />
  );
}

/** The edge of a band: drawn by the band, named in legend and tooltip. */
function edge(id: string, metric: string, token: string, series: LineLayer['series']): LineLayer {
  return { kind: 'line', id, label: id, token, metric, series, isFaint: true };
}

const Ttft = (props: LivePanelProps) => <Latency {...props} metric="ttft_ms" />;
const Tpot = (props: LivePanelProps) => <Latency {...props} metric="tpot_ms" />;

export const ttft: LivePanel = {
  id: 'ttft',
  title: 'TTFT',
  hasData: ({ kind }) => kind === 'serving',
  Component: Ttft,
};
export const tpot: LivePanel = {
  id: 'tpot',
  title: 'TPOT',
  hasData: ({ kind }) => kind === 'serving',
  Component: Tpot,
};
