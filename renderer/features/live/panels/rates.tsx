import { TimeChart } from '../../../charts/TimeChart.tsx';
import { useWorkbench } from '../../../state/workbench.ts';
import { variantToken } from '../../../ui/variantColour.ts';
import type { LivePanel, LivePanelProps } from '../livePanel.ts';

function Rates({ title, axis, engine, variant, baselineVariant }: LivePanelProps) {
  const { live } = useWorkbench();
  const token = variantToken(variant);
  const now = (metric: string) => () => live.data?.series('cluster', metric);
  const before = (metric: string) => () => live.baselineData?.series('cluster', metric);
  return (
    <TimeChart
      {...axis}
      id="rates"
      title={title}
      metric="goodput_rps"
      height={110}
      source={`${engine}, cluster`}
      layers={[
        {
          kind: 'line',
          id: 'arrivals',
          label: 'arrivals',
          token: '--text-3',
          metric: 'arrivals_rps',
          series: now('arrivals_rps'),
        },
        {
          kind: 'line',
          id: 'goodput',
          label: 'goodput',
          token,
          metric: 'goodput_rps',
          series: now('goodput_rps'),
        },
        {
          kind: 'line',
          id: 'base-goodput',
          label: `${baselineVariant}`,
          token: variantToken(baselineVariant),
          metric: 'goodput_rps',
          series: before('goodput_rps'),
          isFaint: true,
          isDashed: true,
          isQuiet: live.baselineData === undefined,
        },
      ]}
    />
  );
}

export const rates: LivePanel = {
  id: 'rates',
  title: 'Arrivals and goodput',
  hasData: ({ kind }) => kind === 'serving',
  Component: Rates,
};
