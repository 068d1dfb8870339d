import type { LineLayer } from '../../../charts/layers.ts';
import { StripChart } from '../../../charts/StripChart.tsx';
import { useWorkbench } from '../../../state/workbench.ts';
import { variantToken } from '../../../ui/variantColour.ts';
import { instanceName, type LivePanel, type LivePanelProps } from '../livePanel.ts';

/** Rows beyond these could not be read. */
const shownInstances = 32;

function Instances({ title, sources, axis, engine, variant, detail }: LivePanelProps) {
  const { live } = useWorkbench();
  const token = variantToken(variant);
  return (
    <StripChart
      {...axis}
      id="busy"
      title={title}
      token={token}
      source={`${engine}, share of time with an iteration in progress`}
      rows={sources.instances.slice(0, shownInstances).map((source): LineLayer => {
        const number = Number(source.slice('instance:'.length));
        return {
          kind: 'line',
          id: source,
          label: instanceName(detail, number),
          token,
          metric: 'busy',
          series: () => live.data?.series(source, 'busy'),
        };
      })}
    />
  );
}

export const instances: LivePanel = {
  id: 'busy',
  title: 'Busy, per instance',
  hasData: (sources) => sources.instances.length > 0,
  Component: Instances,
};
