import { TimeChart } from '../../../charts/TimeChart.tsx';
import { useWorkbench } from '../../../state/workbench.ts';
import { poolToken, variantToken } from '../../../ui/variantColour.ts';
import type { LivePanel, LivePanelProps } from '../livePanel.ts';

function Pools({ sources: { pools }, axis, engine, baselineVariant }: LivePanelProps) {
  const { live } = useWorkbench();
  const now = (source: string, metric: string) => () => live.data?.series(source, metric);
  const before = (source: string, metric: string) => () => live.baselineData?.series(source, metric);
  return (
    <>
      {pools.map((source) => {
        const pool = source.slice('pool:'.length);
        const colour = poolToken(pool);
        return (
          <TimeChart
            {...axis}
            key={source}
            id={`pool-${pool}`}
            title={`${pool} pool`}
            metric="queue_depth"
            height={96}
            source={`${engine}, ${source}`}
            layers={[
              {
                kind: 'line',
                id: 'kv',
                label: 'KV in use',
                token: '--text-3',
                metric: 'kv_used',
                series: now(source, 'kv_used'),
                isFilled: true,
                isOnRight: true,
              },
              {
                kind: 'line',
                id: 'running',
                label: 'running',
                token: colour,
                metric: 'running',
                series: now(source, 'running'),
                isFaint: true,
              },
              {
                kind: 'line',
                id: 'queue',
                label: 'queue',
                token: colour,
                metric: 'queue_depth',
                series: now(source, 'queue_depth'),
              },
              {
                kind: 'line',
                id: 'base-queue',
                label: 'queue before',
                token: variantToken(baselineVariant),
                metric: 'queue_depth',
                series: before(source, 'queue_depth'),
                isFaint: true,
                isQuiet: true,
              },
            ]}
          />
        );
      })}
    </>
  );
}

/** Queue, running requests and KV use: one chart per pool. */
export const pools: LivePanel = {
  id: 'pools',
  title: 'Pools',
  hasData: (sources) => sources.pools.length > 0,
  Component: Pools,
};
