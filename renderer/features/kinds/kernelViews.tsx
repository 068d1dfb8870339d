import { defaultKernelRounds } from '../../../workloads/catalog/kernelTargets.ts';
import { KernelPanel } from '../kernels/KernelPanel.tsx';
import { KernelSections } from '../kernels/KernelSections.tsx';
import { Recorded } from '../kernels/Recorded.tsx';
import { RecordChoices } from '../run/RecordChoices.tsx';
import type { KindViews, LiveFiguresProps } from './kindViews.ts';

/** Runs that measure kernels. */
export const kernelViews: KindViews = {
  rounds: {
    id: 'iterations',
    label: 'Rounds',
    group: 'measurement',
    help: 'Measured iterations of each variant, in turn (A B A B …) after the warm-up. More make the interval of the ratio narrower; fewer than five give no interval.',
    kind: 'integer',
    unit: '',
    min: 1,
    max: 1000,
    default: defaultKernelRounds,
  },
  FormTraffic: () => null,
  FooterChoices: RecordChoices,
  FigureScope: () => null,
  LiveFigures,
  CompareSections: KernelSections,
  replayHint: 'The rounds in this range run again under a profiler; its times are slowed.',
};

function LiveFigures({ run, info, detail }: LiveFiguresProps) {
  return (
    <>
      <KernelPanel summary={detail?.kernels} verdict={info?.kernel?.verdict} />
      {detail?.kernels !== undefined && <Recorded run={run} summary={detail.kernels} />}
    </>
  );
}
