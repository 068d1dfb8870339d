import { createContext, useContext } from 'react';
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { Bridge } from '../../electron/contract/bridge.ts';
import { ChartShelf } from './chartShelf.ts';
import { FrameScheduler } from './frameScheduler.ts';
import { HostClient } from './hostClient.ts';
import { createJobsStore, type JobsStore } from './jobsStore.ts';
import { LiveSession } from './liveSession.ts';
import { MachineStream } from './machineStream.ts';
import type { FormValues } from './runForm.ts';
import { createRunsStore, type RunsStore } from './runsStore.ts';
import { createSettingsStore, type SettingsStore } from './settings.ts';
import { TermPalette } from './termPalette.ts';
import { TimeCursor } from './timeCursor.ts';
import { createWindowStore, type WindowState, type WindowStore } from './windowStore.ts';

export interface FormState {
  readonly target: string;
  /** Per target, so that looking at another one loses nothing. */
  readonly values: Readonly<Record<string, FormValues>>;
  /** How long the traffic in the form lasts, from its preview; undefined until it is known. */
  readonly trafficS: number | undefined;
  /** Why the traffic in the form cannot be read; no run starts with it. */
  readonly trafficProblem?: string | undefined;
}

/** Everything one window holds. Made once in `main.tsx`; tests make their own. */
export interface Workbench {
  readonly bridge: Bridge;
  readonly client: HostClient;
  readonly settings: SettingsStore;
  readonly window: WindowStore;
  readonly jobs: JobsStore;
  readonly runs: RunsStore;
  readonly form: ReturnType<typeof createFormStore>;
  readonly live: LiveSession;
  readonly machine: MachineStream;
  readonly scheduler: FrameScheduler;
  readonly cursor: TimeCursor;
  readonly charts: ChartShelf;
  readonly terms: TermPalette;
}

const createFormStore = () => createStore<FormState>(() => ({ target: '', values: {}, trafficS: undefined }));

export function createWorkbench(bridge: Bridge, storage: Pick<Storage, 'getItem' | 'setItem'>): Workbench {
  const client = new HostClient();
  const window = createWindowStore();
  const live = new LiveSession(client);
  // Before any chart listens: a chart that draws because the view was frozen draws what was frozen.
  window.subscribe(({ frozen }, before) => {
    if (frozen !== before.frozen) live.freeze(frozen);
  });
  return {
    bridge,
    client,
    settings: createSettingsStore(storage),
    window,
    jobs: createJobsStore(),
    runs: createRunsStore(),
    form: createFormStore(),
    live,
    machine: new MachineStream(client),
    scheduler: new FrameScheduler(),
    cursor: new TimeCursor(),
    charts: new ChartShelf(),
    terms: new TermPalette(),
  };
}

const context = createContext<Workbench | undefined>(undefined);
export const WorkbenchProvider = context.Provider;

export function useWorkbench(): Workbench {
  const workbench = useContext(context);
  if (workbench === undefined) throw new Error('no workbench around this component');
  return workbench;
}

export function useWindow<T>(select: (state: WindowState) => T): T {
  return useStore(useWorkbench().window, select);
}
