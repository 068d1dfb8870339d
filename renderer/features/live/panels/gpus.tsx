import { RunGpus } from '../../gpu/GpuPanel.tsx';
import { instanceName, type LivePanel, type LivePanelProps } from '../livePanel.ts';

function Gpus({ sources: { gpus, instances }, axis, detail }: LivePanelProps) {
  return (
    <RunGpus
      isSimulated={axis.isSimulated}
      gpus={gpus}
      instances={instances}
      whole={axis.whole}
      instanceName={(number) => instanceName(detail, number)}
    />
  );
}

/** The GPUs of a run, sampled or simulated. */
export const gpus: LivePanel = {
  id: 'gpus',
  title: 'GPUs',
  hasData: (sources) => sources.gpus.length > 0 || sources.instances.length > 0,
  Component: Gpus,
};
