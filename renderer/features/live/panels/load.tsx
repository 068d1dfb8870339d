import { useEffect, useState } from 'react';
import type { LineLayer } from '../../../charts/layers.ts';
import { TimeChart } from '../../../charts/TimeChart.tsx';
import { useWorkbench } from '../../../state/workbench.ts';
import type { LivePanel, LivePanelProps } from '../livePanel.ts';

const loads = [
  { metric: 'prefill_load', label: 'prefill', token: '--prefill' },
  { metric: 'decode_load', label: 'decode', token: '--decode' },
] as const;

/**
 * Load of the pools as the share of an objective that is used up, where the run has an admission policy: the swing that early
 * rejection makes, and that prediction cures. The pinned baseline stays out: its queue would flatten everything else.
 */
function Load({ title, sources: { pools }, axis, engine }: LivePanelProps) {
  const { live } = useWorkbench();
  const found = useLoads(pools);
  if (found.length === 0) return null;
  return (
    <TimeChart
      {...axis}
      id="load"
      title={title}
      metric="decode_load"
      height={120}
      source={`${engine}, share of the objective that is used up, mean over the pool`}
      layers={[
        ...found.map(({ source, metric, label, token }): LineLayer => {
          const pool = source.slice('pool:'.length);
          return {
            kind: 'line',
            id: `${source} ${metric}`,
            label: pool === label ? label : `${pool} ${label}`,
            token,
            metric,
            series: () => live.data?.series(source, metric),
            isDashed: metric === 'decode_load',
          };
        }),
        {
          kind: 'threshold',
          id: 'objective',
          label: 'objective',
          token: '--fault',
          metric: 'decode_load',
          value: 1,
        },
      ]}
    />
  );
}

type Load = (typeof loads)[number] & { readonly source: string };

/** The loads that the run samples; React is told when a new one appears. */
function useLoads(pools: readonly string[]): readonly Load[] {
  const { live } = useWorkbench();
  const [found, setFound] = useState<readonly Load[]>([]);
  useEffect(() => {
    const look = () => {
      const next = pools.flatMap((source) =>
        loads
          .filter(({ metric }) => live.data?.series(source, metric) !== undefined)
          .map((load) => ({ ...load, source })),
      );
      const key = (list: readonly Load[]) => list.map((load) => `${load.source} ${load.metric}`).join();
      setFound((known) => (key(known) === key(next) ? known : next));
    };
    look();
    return live.onData(look);
  }, [live, pools]);
  return found;
}

export const load: LivePanel = {
  id: 'load',
  title: 'Load of the pools',
  hasData: (sources) => sources.pools.length > 0,
  Component: Load,
};
