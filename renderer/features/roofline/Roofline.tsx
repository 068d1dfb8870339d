import { Button, Select, Slider, Tooltip } from '@mantine/core';
import { IconFileImport, IconGauge } from '@tabler/icons-react';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { gpus } from '../../../workloads/hardware/gpus.ts';
import { threeFigures, withSeparators } from '../../../workloads/metrics/format.ts';
import { models } from '../../../workloads/model/models.ts';
import { ridges } from '../../../workloads/roofline/curves.ts';
import { capturesStore, followCaptures, openReport } from '../../state/capturesStore.ts';
import { when } from '../../state/number.ts';
import { useWorkbench } from '../../state/workbench.ts';
import { PointInspector } from './PointInspector.tsx';
import { PointTable } from './PointTable.tsx';
import { assessed } from './plot.ts';
import styles from './Roofline.module.css';
import { RooflineChart } from './RooflineChart.tsx';
import {
  ceilingsWith,
  changeWhatIf,
  loadCapture,
  loadCeilings,
  loadRun,
  rooflineStore,
} from './rooflineStore.ts';
import {
  type Explored,
  explore,
  formatsOf,
  largestBatch,
  longestContext,
  parallelSizes,
  stepOf,
  valueAt,
  withGpu,
} from './whatIf.ts';

/** The bounds of a model's passes on a card, and the kernels and passes that ran. */
export function Roofline() {
  const workbench = useWorkbench();
  const { whatIf, run, capture, measured, selected } = useStore(rooflineStore);
  useEffect(() => {
    followCaptures(workbench);
    void loadCeilings(workbench);
  }, [workbench]);
  const explored = explore(whatIf, ceilingsWith(measured));
  const analytic = [explored.decode, explored.prefill].flatMap((one) =>
    one === undefined ? [] : [assessed(one.point, explored.ceilings)],
  );
  const points = [...analytic, ...(run?.points ?? []), ...(capture?.points ?? [])];
  const chosen = points.find(({ point }) => point.id === selected) ?? analytic[0];
  return (
    <div
      className={styles.roofline}
      data-testid="roofline"
      data-decode-intensity={explored.decode?.assessment.intensity.hbm ?? ''}
      data-decode-bound={explored.decode?.assessment.bound.kind ?? ''}
      data-points={points.length}
    >
      <div className={styles.main}>
        <Pickers explored={explored} />
        <div className={styles.scroll}>
          <RooflineChart
            explored={explored}
            points={points}
            selected={chosen?.point.id}
            onSelect={(id) => rooflineStore.setState({ selected: id })}
          />
          <WhatIfSliders explored={explored} />
          <PointTable
            points={points}
            selected={chosen?.point.id}
            onSelect={(id) => rooflineStore.setState({ selected: id })}
          />
          {capture !== undefined && capture.notes.length > 0 && (
            <ul className={styles.notes}>
              {capture.notes.map((note) => (
                <li key={note}>missing in the report: {note}</li>
              ))}
            </ul>
          )}
        </div>
      </div>
      <PointInspector chosen={chosen} explored={explored} />
    </div>
  );
}

function Pickers({ explored }: { readonly explored: Explored }) {
  const workbench = useWorkbench();
  const { whatIf, run, capture } = useStore(rooflineStore);
  const runs = useStore(workbench.runs, (state) => state.runs);
  const captures = useStore(capturesStore, (state) => state.captures).filter(
    ({ tool, state }) => tool === 'ncu' && state === 'done',
  );
  const addCeilings = async () => {
    const path = await workbench.bridge.chooseOpenPath({
      title: 'Measured ceilings: what "dyno ceilings --json" printed',
      extensions: ['json'],
    });
    if (path !== null) await loadCeilings(workbench, path);
  };
  return (
    <header className={styles.head}>
      <Select
        aria-label="Model"
        w={150}
        searchable
        data={models.map(({ id, label }) => ({ value: id, label }))}
        value={whatIf.model}
        onChange={(model) => model !== null && changeWhatIf({ model })}
      />
      <Select
        aria-label="GPU"
        w={120}
        searchable
        data={gpus.map(({ id, label }) => ({ value: id, label }))}
        value={whatIf.gpu}
        onChange={(gpu) => gpu !== null && changeWhatIf(withGpu(whatIf, gpu))}
      />
      <Select
        aria-label="Precision"
        w={120}
        data={formatsOf(explored.gpu).map(({ id, label }) => ({ value: id, label }))}
        value={whatIf.format}
        onChange={(format) => format !== null && changeWhatIf({ format })}
        comboboxProps={{ width: 260, position: 'bottom-start' }}
      />
      <span className={styles.gap} />
      <Select
        aria-label="Points of a run"
        placeholder="Points of a run"
        w={140}
        clearable
        data={runs
          .filter(({ status }) => status !== 'running')
          .slice(0, 100)
          .map((each) => ({ value: each.run, label: `${each.variant} · ${when(each.started)}` }))}
        value={run?.id ?? null}
        onChange={(id) => void loadRun(workbench, id)}
        comboboxProps={{ width: 260, position: 'bottom-end' }}
      />
      {captures.length > 0 && (
        <Select
          aria-label="Kernels of a capture"
          placeholder="Kernels of a capture"
          w={140}
          clearable
          data={captures.map((each) => ({ value: each.capture, label: each.title }))}
          value={capture?.id ?? null}
          onChange={(id) =>
            void loadCapture(
              workbench,
              captures.find((each) => each.capture === id),
            )
          }
        />
      )}
      <Tooltip label="Kernels with hardware counters: an ncu report (.ncu-rep, .csv). Or drop it on the window.">
        <Button
          variant="default"
          leftSection={<IconFileImport size={13} />}
          onClick={() => void openReport(workbench)}
        >
          Report…
        </Button>
      </Tooltip>
      <Tooltip label="Solid roofs: what “npm run -s dyno -- ceilings --json” printed on the card. Without it the roofs are the data sheet’s, dashed.">
        <Button variant="default" leftSection={<IconGauge size={13} />} onClick={() => void addCeilings()}>
          Ceilings…
        </Button>
      </Tooltip>
    </header>
  );
}

function WhatIfSliders({ explored }: { readonly explored: Explored }) {
  const { whatIf } = useStore(rooflineStore);
  const { turning, ceilings, setting } = explored;
  const knee = ridges(ceilings, setting.format.compute).hbm;
  return (
    <section className={styles.sliders} aria-label="What if">
      <StepSlider
        label="Batch"
        unit="sequences"
        value={whatIf.batch}
        last={largestBatch}
        onChange={(batch) => changeWhatIf({ batch })}
      />
      <StepSlider
        label="Context"
        unit="tokens"
        value={whatIf.context}
        last={longestContext}
        first={128}
        onChange={(context) => changeWhatIf({ context })}
      />
      <StepSlider
        label="Tensor parallel"
        unit="GPUs"
        value={whatIf.tensorParallel}
        last={parallelSizes.at(-1) ?? 8}
        onChange={(tensorParallel) => changeWhatIf({ tensorParallel })}
      />
      <p className={`${styles.turning} selectable`} data-testid="turning" data-turns={turning?.turns ?? ''}>
        {knee !== undefined && <b>ridge {threeFigures(knee)} FLOP/B, </b>}
        {turning?.turns === true && <b>decode turns compute-bound at batch {turning.batch}: </b>}
        {turning?.turns === false && <b>decode never turns compute-bound: </b>}
        {turning?.reason}
        {turning?.fits !== undefined &&
          turning.turns === false &&
          `; memory holds ${withSeparators(String(turning.fits))} such sequences`}
      </p>
    </section>
  );
}

interface StepSliderProps {
  readonly label: string;
  readonly unit: string;
  readonly value: number;
  readonly first?: number;
  readonly last: number;
  readonly onChange: (value: number) => void;
}

function StepSlider({ label, unit, value, first = 1, last, onChange }: StepSliderProps) {
  return (
    <div className={styles.slider}>
      <span className={styles.sliderHead}>
        <span>{label}</span>
        <b>{withSeparators(String(value))}</b> {unit}
      </span>
      <Slider
        thumbLabel={label}
        min={stepOf(first)}
        max={stepOf(last)}
        step={1}
        label={null}
        size={3}
        thumbSize={14}
        value={stepOf(value)}
        onChange={(step) => onChange(valueAt(step))}
      />
    </div>
  );
}
