import type { LineLayer } from '../../../charts/layers.ts';
import { TimeChart } from '../../../charts/TimeChart.tsx';
import { useWorkbench } from '../../../state/workbench.ts';
import { poolToken } from '../../../ui/variantColour.ts';
import type { LivePanel, LivePanelProps } from '../livePanel.ts';

function Utilisation({ title, sources: { pools }, axis, engine }: LivePanelProps) {
  const { live } = useWorkbench();
  const now = (source: string, metric: string) => () => live.data?.series(source, metric);
  return (
    <TimeChart
      {...axis}
      id="utilisation"
      title={title}
      metric="busy"
      height={110}
      max={1}
      source={`${engine}, mean over the pool`}
      layers={pools.flatMap((source): LineLayer[] => {
        const pool = source.slice('pool:'.length);
        const prefix = pools.length > 1 ? `${pool} ` : '';
        return [
          {
            kind: 'line',
            id: `${source}-busy`,
            label: `${prefix}busy`,
            token: poolToken(pool),
            metric: 'busy',
            series: now(source, 'busy'),
            isFaint: true,
          },
          {
            kind: 'line',
            id: `${source}-compute`,
            label: `${prefix}compute`,
            token: '--series-6',
            metric: 'compute_util',
            series: now(source, 'compute_util'),
          },
          {
            kind: 'line',
            id: `${source}-memory`,
            label: `${prefix}memory`,
            token: '--series-3',
            metric: 'memory_util',
            series: now(source, 'memory_util'),
            isDashed: true,
          },
        ];
      })}
    />
  );
}

export const utilisation: LivePanel = {
  id: 'utilisation',
  title: 'Utilisation',
  hasData: ({ kind }) => kind === 'serving',
  Component: Utilisation,
};
