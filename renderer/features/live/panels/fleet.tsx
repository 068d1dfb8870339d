import { useEffect, useState } from 'react';
import type { LineLayer } from '../../../charts/layers.ts';
import { TimeChart } from '../../../charts/TimeChart.tsx';
import { useWorkbench } from '../../../state/workbench.ts';
import { poolToken, variantToken } from '../../../ui/variantColour.ts';
import type { LivePanel, LivePanelProps } from '../livePanel.ts';

/** How many instances serve and start, where that changes: crashes, scaling, instances that change their pool. */
function Fleet({ title, sources: { pools }, axis, engine, baselineVariant }: LivePanelProps) {
  const { live } = useWorkbench();
  const isThere = useFleet();
  if (!isThere) return null;
  return (
    <TimeChart
      {...axis}
      id="fleet"
      title={title}
      metric="active_instances"
      height={110}
      source={`${engine}, instances that serve; ▲ ✕ … mark what happened`}
      layers={[
        ...pools.map((source): LineLayer => {
          const pool = source.slice('pool:'.length);
          return {
            kind: 'line',
            id: source,
            label: pools.length > 1 ? `${pool} serving` : 'serving',
            token: poolToken(pool),
            metric: 'active_instances',
            series: () => live.data?.series(source, 'active_instances'),
            isStep: true,
          };
        }),
        {
          kind: 'line',
          id: 'starting',
          label: 'starting',
          token: '--text-3',
          metric: 'starting_instances',
          series: () => live.data?.series('cluster', 'starting_instances'),
          isDashed: true,
          isStep: true,
        },
        {
          kind: 'line',
          id: 'base-active',
          label: `${baselineVariant} serving`,
          token: variantToken(baselineVariant),
          metric: 'active_instances',
          series: () => live.baselineData?.series('cluster', 'active_instances'),
          isFaint: true,
          isStep: true,
          isQuiet: live.baselineData === undefined,
        },
      ]}
    />
  );
}

/** Whether the run samples how many instances serve; React is told at the first sample. */
function useFleet(): boolean {
  const { live } = useWorkbench();
  const [isThere, setIsThere] = useState(false);
  useEffect(() => {
    const look = () => setIsThere(live.data?.series('cluster', 'active_instances') !== undefined);
    look();
    return live.onData(look);
  }, [live]);
  return isThere;
}

export const fleet: LivePanel = {
  id: 'fleet',
  title: 'Instances',
  hasData: (sources) => sources.pools.length > 0,
  Component: Fleet,
};
