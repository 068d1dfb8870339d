import type { LineLayer } from '../../../charts/layers.ts';
import { TimeChart } from '../../../charts/TimeChart.tsx';
import { useWorkbench } from '../../../state/workbench.ts';
import { variantToken } from '../../../ui/variantColour.ts';
import type { LivePanel, LivePanelProps } from '../livePanel.ts';

function Workload({ title, sources, axis, engine }: LivePanelProps) {
  const { live } = useWorkbench();
  return (
    <TimeChart
      {...axis}
      id="workload"
      title={title}
      metric="workload_ms"
      height={180}
      source={`${engine}, the device’s own clock`}
      layers={sources.variants.map((source): LineLayer => {
        const name = source.slice('variant:'.length);
        return {
          kind: 'line',
          id: source,
          label: name,
          token: variantToken(name),
          metric: 'workload_ms',
          series: () => live.data?.series(source, 'workload_ms'),
        };
      })}
    />
  );
}

/** Of a run that measures kernels: the time of each iteration. */
export const workload: LivePanel = {
  id: 'workload',
  title: 'Time of an iteration, the variants in turn',
  hasData: ({ variants }) => variants.length > 0,
  Component: Workload,
};
