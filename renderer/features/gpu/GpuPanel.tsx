import { Checkbox, Popover } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useStore } from 'zustand';
import type { LineLayer } from '../../charts/layers.ts';
import { TimeChart } from '../../charts/TimeChart.tsx';
import type { RunData } from '../../state/runData.ts';
import type { TimeRange } from '../../state/timeRange.ts';
import { useWindow, useWorkbench } from '../../state/workbench.ts';
import styles from './Gpu.module.css';
import { endOf, firstModelled, type LaneGroup, laneGroups, offeredMetrics } from './lanes.ts';

interface GpuPanelProps {
  readonly sources: readonly string[];
  readonly data: () => RunData | undefined;
  readonly onData: (listener: () => void) => () => void;
  readonly whole: () => TimeRange;
  readonly isSimulated: boolean;
  /** Names of instances, where they have any. */
  readonly nameOf: (source: string) => string;
  readonly ends: ReadonlyMap<string, string>;
}

const tokens = ['--series-1', '--series-6', '--series-3', '--series-2', '--series-4', '--series-5'];
const laneHeight = 84;
/** More lanes than this are a wall; the strip of instances shows them all. */
const shownLanes = 8;

/** A lane per GPU, or per modelled instance of a simulated run. */
export function GpuPanel({ sources, data, onData, whole, isSimulated, nameOf, ends }: GpuPanelProps) {
  const workbench = useWorkbench();
  const chosenGpu = useStore(workbench.settings, (state) => state.gpuMetrics);
  const [chosenModel, setChosenModel] = useState(firstModelled);
  const chosen = isSimulated ? chosenModel : chosenGpu;
  const offered = useOffered(data, onData, sources);
  const groups = laneGroups(chosen.filter((id) => offered.some((metric) => metric.id === id)));
  const subscribe = (changed: () => void) =>
    onData(() => {
      if (!workbench.window.getState().frozen) changed();
    });
  const toggle = (id: string, isOn: boolean) => {
    const next = isOn ? [...chosen, id] : chosen.filter((each) => each !== id);
    if (isSimulated) setChosenModel(next);
    else workbench.settings.setState({ gpuMetrics: [...next] });
  };
  const layers = (source: string, { metrics }: LaneGroup): LineLayer[] =>
    metrics.map(({ id, label }, index) => ({
      kind: 'line',
      id,
      label,
      token: tokens[index % tokens.length] ?? '--series-1',
      metric: id,
      series: () => data()?.series(source, id),
      isDashed: isSimulated,
    }));
  return (
    <section className={styles.panel} aria-label="GPU lanes" data-testid="gpu-panel">
      <header className={styles.head}>
        <b>{isSimulated ? 'GPU utilisation, modelled per instance' : 'GPUs'}</b>
        {sources.length > shownLanes && (
          <span className={styles.faint}>
            the first {shownLanes} of {sources.length}
          </span>
        )}
        <span className={styles.gap} />
        <Popover position="bottom-end" withinPortal>
          <Popover.Target>
            <button type="button" className={styles.pick} data-testid="gpu-pick">
              Metrics · {chosen.length}
            </button>
          </Popover.Target>
          <Popover.Dropdown>
            <div className={styles.choices}>
              {offered.map(({ id, label, definition }) => (
                <Checkbox
                  key={id}
                  size="xs"
                  label={label}
                  title={definition}
                  checked={chosen.includes(id)}
                  onChange={(event) => toggle(id, event.currentTarget.checked)}
                />
              ))}
            </div>
          </Popover.Dropdown>
        </Popover>
      </header>
      {sources.slice(0, shownLanes).flatMap((source) =>
        groups.map((group, index) => {
          const [first] = group.metrics;
          if (first === undefined) return null;
          const end = index === 0 ? ends.get(source) : undefined;
          return (
            <div key={`${source} ${group.unit}`}>
              <TimeChart
                id={`gpu-${source}-${group.unit}`}
                title={nameOf(source)}
                metric={first.id}
                height={laneHeight}
                isSimulated={isSimulated}
                {...(group.unit === 'fraction' ? { max: 1 } : {})}
                layers={layers(source, group)}
                source={isSimulated ? `modelled, ${source}` : `measured, ${source}`}
                whole={whole}
                subscribe={subscribe}
              />
              {end !== undefined && (
                <div className={styles.end} role="status">
                  {nameOf(source)} {end}
                </div>
              )}
            </div>
          );
        }),
      )}
      {groups.length === 0 && (
        <p className={styles.faint}>
          {offered.length === 0 ? 'The first samples are on their way.' : 'Choose a metric to see its lanes.'}
        </p>
      )}
    </section>
  );
}

function useOffered(
  data: () => RunData | undefined,
  onData: (listener: () => void) => () => void,
  sources: readonly string[],
) {
  const [offered, setOffered] = useState(() => offeredMetrics(data(), sources));
  // Functions of the parent's latest render: the panel calls the current ones when samples come.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `data` and `onData` lead to the same store each time.
  useEffect(() => {
    const look = () => {
      const next = offeredMetrics(data(), sources);
      setOffered((known) =>
        known.map(({ id }) => id).join() === next.map(({ id }) => id).join() ? known : next,
      );
    };
    look();
    return onData(look);
  }, [sources]);
  return offered;
}

/** The GPU lanes of the run on screen: measured where it has GPU samples, modelled where it was simulated. */
export function RunGpus({
  isSimulated,
  gpus,
  instances,
  whole,
  instanceName,
}: {
  readonly isSimulated: boolean;
  readonly gpus: readonly string[];
  readonly instances: readonly string[];
  readonly whole: () => TimeRange;
  readonly instanceName: (instance: number) => string;
}) {
  const { live } = useWorkbench();
  const run = useStore(live.store, (state) => state.run);
  const ends = useEnds(run);
  const sources = isSimulated ? instances : gpus;
  if (sources.length === 0) return null;
  return (
    <GpuPanel
      sources={sources}
      data={() => live.data}
      onData={(listener) => live.onData(listener)}
      whole={whole}
      isSimulated={isSimulated}
      nameOf={(source) => {
        const number = Number(source.slice(source.indexOf(':') + 1));
        return isSimulated ? instanceName(number) : `GPU ${number}`;
      }}
      ends={ends}
    />
  );
}

/** How far back the lanes of the machine itself go. */
const machineMs = 120_000;

/** The GPUs of this machine now, where no run is on screen. */
export function MachineGpus() {
  const { machine, runs } = useWorkbench();
  const hasGpus = useStore(runs, (state) => (state.machine?.gpus.length ?? 0) > 0);
  const names = useStore(runs, (state) => state.machine?.gpus);
  const [sources, setSources] = useState<readonly string[]>(() => machine.data.sources('gpu:'));
  const ends = useEnds(undefined);
  useEffect(
    () =>
      machine.onData(() => {
        const next = machine.data.sources('gpu:');
        setSources((known) => (known.join() === next.join() ? known : next));
      }),
    [machine],
  );
  if (!hasGpus) return null;
  return (
    <GpuPanel
      sources={sources}
      data={() => machine.data}
      onData={(listener) => machine.onData(listener)}
      whole={() => {
        const toMs = Math.max(machine.data.endMs, 1000);
        return { fromMs: Math.max(0, toMs - machineMs), toMs };
      }}
      isSimulated={false}
      nameOf={(source) => {
        const index = Number(source.slice('gpu:'.length));
        const name = names?.find((gpu) => gpu.index === index)?.name;
        return name === undefined ? `GPU ${index}` : `GPU ${index} · ${name}`;
      }}
      ends={ends}
    />
  );
}

/** Why series ended, by source: from live log events, and for a stored run from its log table. */
function useEnds(run: string | undefined): ReadonlyMap<string, string> {
  const { client } = useWorkbench();
  const log = useWindow((state) => state.log);
  const [stored, setStored] = useState<ReadonlyMap<string, string>>(new Map());
  useEffect(() => {
    let isCurrent = true;
    setStored(new Map());
    if (run === undefined) return;
    client
      .request('runs.rows', {
        run,
        table: 'log',
        filter: [{ column: 'message', op: 'contains', value: 'telemetry ended' }],
      })
      .then(
        ({ columns }) => {
          const messages = columns.find(({ name }) => name === 'message')?.values ?? [];
          if (isCurrent) setStored(endsOf(messages.map(String)));
        },
        // Without the log the panel shows the series alone: why one of them ended is not known then.
        () => undefined,
      );
    return () => {
      isCurrent = false;
    };
  }, [client, run]);
  if (run !== undefined && stored.size > 0) return stored;
  return run === undefined ? endsOf(log.map(({ message }) => message)) : stored;
}

function endsOf(messages: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    messages.flatMap((message) => {
      const end = endOf(message);
      return end === undefined ? [] : [[end.source, end.reason] as const];
    }),
  );
}
