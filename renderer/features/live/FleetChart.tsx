import { useEffect, useState } from 'react';
import type { ClusterMark } from '../../charts/clusterMarks.ts';
import type { LineLayer } from '../../charts/layers.ts';
import { TimeChart } from '../../charts/TimeChart.tsx';
import type { TimeRange } from '../../state/timeRange.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { poolToken, variantToken } from '../../ui/variantColour.ts';

interface FleetChartProps {
  /** `pool:prefill`, `pool:decode`, `pool:mixed` */
  readonly pools: readonly string[];
  readonly engine: string;
  readonly baselineVariant: string;
  readonly isSimulated: boolean;
  readonly marks: () => readonly ClusterMark[];
  readonly whole: () => TimeRange;
  readonly subscribe: (changed: () => void) => () => void;
}

/** How many instances serve and start, where that changes: crashes, scaling, instances that change their pool. */
export function FleetChart({ pools, engine, baselineVariant, ...common }: FleetChartProps) {
  const { live } = useWorkbench();
  const isThere = useFleet();
  if (!isThere) return null;
  return (
    <TimeChart
      {...common}
      id="fleet"
      title="Instances"
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

/** The run samples who serves; React hears of it when the first sample comes. */
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
