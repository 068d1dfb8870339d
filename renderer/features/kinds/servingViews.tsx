import { Select } from '@mantine/core';
import { useStore } from 'zustand';
import type { Pace } from '../../../electron/contract/protocol.ts';
import { matchTarget } from '../../state/kinds/runKinds.ts';
import { type FormValues, groupTitles } from '../../state/runForm.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { ServingSections } from '../compare/ServingSections.tsx';
import { ClientStrip } from '../live/ClientStrip.tsx';
import { KpiRow } from '../live/KpiRow.tsx';
import live from '../live/Live.module.css';
import form from '../run/Run.module.css';
import { TrafficPanel } from '../run/TrafficPanel.tsx';
import type { FormTrafficProps, KindViews, LiveFiguresProps } from './kindViews.ts';

/** Runs that answer requests. */
export const servingViews: KindViews = {
  rounds: {
    id: 'iterations',
    label: 'Replicates',
    group: 'measurement',
    help: 'How often each variant is run, each time with its own seeds. More make the interval of the ratio narrower.',
    kind: 'integer',
    unit: '',
    min: 1,
    max: 1000,
    default: 1,
  },
  FormTraffic,
  FooterChoices: PaceChoice,
  FigureScope,
  LiveFigures,
  CompareSections: ServingSections,
  replayHint: 'The run is replayed whole and recorded in this range of simulated time; it is the same run.',
  uncountable: 'The simulator launches no kernels.',
};

function FormTraffic({ target, values, isValid, onTrace, rows }: FormTrafficProps) {
  return matchTarget(target, {
    serving: (own) => (
      <section className={`${form.group} ${form.wide}`}>
        <h2>{groupTitles.traffic}</h2>
        <TrafficPanel target={own} values={values} onTrace={onTrace} isValid={isValid}>
          {values.trace === null ? rows : null}
        </TrafficPanel>
      </section>
    ),
    kernels: () => null,
  });
}

const paces: readonly { readonly value: string; readonly label: string }[] = [
  { value: 'max', label: 'At full speed' },
  { value: '3600', label: 'Watch at 3600×' },
  { value: '600', label: 'Watch at 600×' },
  { value: '60', label: 'Watch at 60×' },
  { value: '10', label: 'Watch at 10×' },
  { value: '1', label: 'Watch in real time' },
];
const paceOf = (value: string): Pace => (value === 'max' ? 'max' : Number(value));

function PaceChoice({ values }: { readonly values: FormValues }) {
  const { settings } = useWorkbench();
  const pace = useStore(settings, (state) => state.pace);
  // Devices and servers serve in real time.
  if (values.engine !== 'sim') return null;
  return (
    <Select
      data={[...paces]}
      value={String(pace)}
      onChange={(value) => {
        if (value !== null) settings.setState({ pace: paceOf(value) });
      }}
      w={160}
      aria-label="Pace"
    />
  );
}

function FigureScope({ scope }: { readonly scope: string }) {
  return (
    <span className={live.against} data-testid="kpi-scope">
      figures of {scope}
    </span>
  );
}

function LiveFigures({ isRunning, isSimulated, detail, baseline }: LiveFiguresProps) {
  return (
    <>
      <KpiRow
        isSimulated={isSimulated}
        summary={isRunning ? undefined : detail?.summary}
        baselineSummary={baseline?.summary}
      />
      <ClientStrip summary={isRunning ? undefined : detail?.summary} />
    </>
  );
}
