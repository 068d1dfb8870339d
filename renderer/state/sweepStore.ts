import { createStore } from 'zustand/vanilla';
import type { SweepContents, SweepInfo } from '../../electron/contract/sweeps.ts';
import type { SweepSpec } from '../../workloads/harness/sweep/sweepSpec.ts';
import type { TrafficSpec } from '../../workloads/run/spec.ts';
import { changeForm, formOf, go, startRuns } from './actions.ts';
import { findTarget } from './catalogue.ts';
import { errorOf } from './hostClient.ts';
import { notifyError } from './notices.ts';
import { defaultsOf, type TraceChoice } from './runForm.ts';
import type { Workbench } from './workbench.ts';

export interface SweepState {
  /** Newest first. */
  readonly sweeps: readonly SweepInfo[];
  readonly shown: string | undefined;
  readonly contents: SweepContents | undefined;
  /** `SweepPoint.index` */
  readonly selected: number | undefined;
}

/** Of the one window that this page is. */
export const sweepStore = createStore<SweepState>(() => ({
  sweeps: [],
  shown: undefined,
  contents: undefined,
  selected: undefined,
}));

const withSweep = (sweeps: readonly SweepInfo[], sweep: SweepInfo): readonly SweepInfo[] => {
  const index = sweeps.findIndex((known) => known.sweep === sweep.sweep);
  return index === -1 ? [sweep, ...sweeps] : sweeps.with(index, sweep);
};

const contentsEveryMs = 500;
const followed = new WeakSet<Workbench>();
let reading = false;
let lastRead = 0;

/** From the first look on, list and points follow the host. */
export function followSweeps(workbench: Workbench): void {
  if (followed.has(workbench)) return;
  followed.add(workbench);
  const list = () =>
    void workbench.client.request('sweeps.list', {}).then(
      ({ sweeps }) => {
        sweepStore.setState({ sweeps });
        const [latest] = sweeps;
        if (sweepStore.getState().shown === undefined && latest !== undefined)
          showSweep(workbench, latest.sweep);
      },
      (thrown: unknown) => workbench.client.note(thrown),
    );
  workbench.client.onConnect(list);
  workbench.client.onEvent((event) => {
    if (event.event !== 'sweep') return;
    sweepStore.setState(({ sweeps }) => ({ sweeps: withSweep(sweeps, event.sweep) }));
    if (event.sweep.sweep !== sweepStore.getState().shown) return;
    const isOver = event.sweep.state !== 'running';
    if (isOver || performance.now() - lastRead > contentsEveryMs)
      void read(workbench, event.sweep.sweep, isOver);
  });
  list();
}

async function read(workbench: Workbench, sweep: string, always = true): Promise<void> {
  if (reading && !always) return;
  reading = true;
  lastRead = performance.now();
  try {
    const contents = await workbench.client.request('sweeps.read', { sweep });
    if (sweepStore.getState().shown === sweep) sweepStore.setState({ contents });
  } catch (thrown) {
    notifyError('The sweep was not read', errorOf(thrown));
  } finally {
    reading = false;
  }
}

export function showSweep(workbench: Workbench, sweep: string): void {
  sweepStore.setState({ shown: sweep, contents: undefined, selected: undefined });
  void read(workbench, sweep);
}

export async function startSweep(workbench: Workbench, title: string, spec: SweepSpec): Promise<void> {
  try {
    const { sweep } = await workbench.client.request('sweeps.start', { title, spec });
    showSweep(workbench, sweep);
  } catch (thrown) {
    notifyError('The sweep did not start', errorOf(thrown));
  }
}

export async function resumeSweep(workbench: Workbench, sweep: string): Promise<void> {
  try {
    await workbench.client.request('sweeps.resume', { sweep });
    showSweep(workbench, sweep);
  } catch (thrown) {
    notifyError('The sweep was not resumed', errorOf(thrown));
  }
}

export async function cancelSweep(workbench: Workbench, sweep: string): Promise<void> {
  try {
    await workbench.client.request('sweeps.cancel', { sweep });
  } catch (thrown) {
    notifyError('Cancel', errorOf(thrown));
  }
}

export async function deleteSweep(workbench: Workbench, sweep: string): Promise<void> {
  try {
    await workbench.client.request('sweeps.delete', { sweep });
    sweepStore.setState(({ sweeps, shown, contents }) => ({
      sweeps: sweeps.filter((known) => known.sweep !== sweep),
      shown: shown === sweep ? undefined : shown,
      contents: shown === sweep ? undefined : contents,
    }));
  } catch (thrown) {
    notifyError('Not deleted', errorOf(thrown));
  }
}

/** Puts a point's setting into the run form; `run` also starts it, for its charts, requests and decisions. */
export function takePoint(workbench: Workbench, index: number, run: boolean): void {
  const { contents } = sweepStore.getState();
  const point = contents?.points.find((each) => each.index === index);
  const target = contents === undefined ? undefined : findTarget(contents.spec.target);
  if (contents === undefined || point === undefined || target === undefined) return;
  const { spec } = contents;
  const { variant = spec.variant, speedup, ...parameters } = point.values;
  workbench.form.setState({ target: target.id });
  const { traffic } = spec;
  const trace =
    traffic?.kind === 'trace'
      ? traceOf(traffic, typeof speedup === 'number' ? speedup : traffic.speedup)
      : null;
  changeForm(workbench, {
    ...formOf(workbench),
    parameters: {
      ...defaultsOf(target).parameters,
      ...spec.parameters,
      ...parameters,
      ...(trace === null && speedup !== undefined ? { speedup } : {}),
    },
    trace,
    seed: spec.seed,
    iterations: spec.iterations,
  });
  if (run) void startRuns(workbench, String(variant));
  else go(workbench, 'run');
}

function traceOf(
  { kind: _, ...trace }: Extract<TrafficSpec, { kind: 'trace' }>,
  speedup: number,
): TraceChoice {
  return { ...trace, speedup };
}
