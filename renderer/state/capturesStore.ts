import { useEffect, useState } from 'react';
import { createStore } from 'zustand/vanilla';
import type { ToolPresence } from '../../electron/contract/captures.ts';
import type { CaptureInfo, HostMethod, HostParams, HostResults } from '../../electron/contract/protocol.ts';
import { go, subjectRun } from './actions.ts';
import { errorOf } from './hostClient.ts';
import { notify, notifyError } from './notices.ts';
import { useWorkbench, type Workbench } from './workbench.ts';

export interface CapturesState {
  /** In order of start, the latest last. */
  readonly captures: readonly CaptureInfo[];
  readonly shown: string | undefined;
  /** The baseline of a comparison with `shown`. */
  readonly other: string | undefined;
}

/** Of the one window that this page is. */
export const capturesStore = createStore<CapturesState>(() => ({
  captures: [],
  shown: undefined,
  other: undefined,
}));

export const reportExtensions = ['nsys-rep', 'sqlite', 'ncu-rep', 'csv', 'json', 'gz', 'zst'] as const;

export const isOpenCapture = ({ state }: CaptureInfo): boolean =>
  state === 'queued' || state === 'running' || state === 'importing';

export function withCapture(captures: readonly CaptureInfo[], capture: CaptureInfo): readonly CaptureInfo[] {
  const index = captures.findIndex((known) => known.capture === capture.capture);
  return index === -1 ? [...captures, capture] : captures.with(index, capture);
}

async function ask<M extends HostMethod>(
  workbench: Workbench,
  what: string,
  method: M,
  params: HostParams<M>,
): Promise<HostResults[M] | undefined> {
  try {
    return await workbench.client.request(method, params);
  } catch (thrown) {
    notifyError(what, errorOf(thrown));
    return undefined;
  }
}

const followed = new WeakSet<Workbench>();

/** From the first look on, the list follows the host. */
export function followCaptures(workbench: Workbench): void {
  if (followed.has(workbench)) return;
  followed.add(workbench);
  const list = () =>
    void workbench.client.request('captures.list', {}).then(
      ({ captures }) => capturesStore.setState({ captures }),
      (thrown: unknown) => workbench.client.note(thrown),
    );
  workbench.client.onConnect(list);
  workbench.client.onEvent((event) => {
    if (event.event === 'capture')
      capturesStore.setState(({ captures }) => ({ captures: withCapture(captures, event.capture) }));
  });
  list();
}

const toolsFound = new WeakMap<Workbench, Promise<readonly ToolPresence[]>>();

/** Which profilers are here: asked once, since each is started to say its version. */
export function useTools(): readonly ToolPresence[] {
  const workbench = useWorkbench();
  const [tools, setTools] = useState<readonly ToolPresence[]>([]);
  useEffect(() => {
    const known =
      toolsFound.get(workbench) ??
      workbench.client.request('captures.tools', {}).then(
        (found) => found.tools,
        () => {
          toolsFound.delete(workbench);
          return [];
        },
      );
    toolsFound.set(workbench, known);
    let isCurrent = true;
    void known.then((found) => isCurrent && setTools(found));
    return () => {
      isCurrent = false;
    };
  }, [workbench]);
  return tools;
}

export async function openReportAt(workbench: Workbench, path: string): Promise<void> {
  followCaptures(workbench);
  const opened = await ask(workbench, 'The report was not opened', 'captures.open', { path });
  if (opened === undefined) return;
  capturesStore.setState({ shown: opened.capture, other: undefined });
  go(workbench, 'captures');
}

export async function openReport(workbench: Workbench): Promise<void> {
  const path = await workbench.bridge.chooseOpenPath({
    title: 'Open an Nsight report',
    extensions: [...reportExtensions],
  });
  if (path !== null) await openReportAt(workbench, path);
}

export async function startCapture(workbench: Workbench, order: HostParams<'captures.start'>): Promise<void> {
  followCaptures(workbench);
  const started = await ask(workbench, 'The capture did not start', 'captures.start', order);
  if (started !== undefined) capturesStore.setState({ shown: started.capture, other: undefined });
}

/** The kernel timeline that a run recorded of itself, among the captures. */
export async function openRunKernels(workbench: Workbench, run: string): Promise<void> {
  followCaptures(workbench);
  const opened = await ask(workbench, 'The kernel timeline was not opened', 'captures.openRun', { run });
  if (opened === undefined) return;
  capturesStore.setState({ shown: opened.capture, other: undefined });
  go(workbench, 'captures');
}

/** A range of a run, replayed under a profiler. */
export async function startPart(workbench: Workbench, part: HostParams<'captures.startPart'>): Promise<void> {
  followCaptures(workbench);
  const started = await ask(workbench, 'The capture did not start', 'captures.startPart', part);
  if (started === undefined) return;
  capturesStore.setState({ shown: started.capture, other: undefined });
  go(workbench, 'captures');
  notify('Capturing exactly this', `Recorded: ${started.interval}.`);
}

export const showInNsight = (workbench: Workbench, capture: string) =>
  ask(workbench, 'Nsight did not open', 'captures.showInNsight', { capture });

export const cancelCapture = (workbench: Workbench, capture: string) =>
  ask(workbench, 'Cancel', 'captures.cancel', { capture });

export async function retryCapture(workbench: Workbench, capture: string): Promise<void> {
  const again = await ask(workbench, 'Not started again', 'captures.retry', { capture });
  if (again !== undefined) capturesStore.setState({ shown: again.capture });
}

export async function removeCapture(workbench: Workbench, capture: string): Promise<void> {
  const removed = await ask(workbench, 'Not removed', 'captures.remove', { capture });
  if (removed === undefined) return;
  capturesStore.setState(({ captures, shown, other }) => ({
    captures: captures.filter((one) => one.capture !== capture),
    shown: shown === capture ? undefined : shown,
    other: other === capture ? undefined : other,
  }));
}

async function saveTrace(
  workbench: Workbench,
  name: string,
  write: (path: string) => Promise<{ readonly path: string; readonly bytes: number } | undefined>,
): Promise<void> {
  const path = await workbench.bridge.chooseSavePath({
    title: 'Export as Chrome trace (opens in ui.perfetto.dev)',
    suggestedName: `${name}.trace.json`,
    extension: 'json',
  });
  if (path === null) return;
  const written = await write(path);
  if (written !== undefined)
    notify(
      'Saved',
      `${written.path} (${written.bytes.toLocaleString('en-GB')} bytes); ui.perfetto.dev opens it.`,
      {
        label: 'Show',
        run: () => void workbench.bridge.showInFolder(written.path),
      },
    );
}

export async function exportTrace(workbench: Workbench, run = subjectRun(workbench)): Promise<void> {
  if (run === undefined) return;
  await saveTrace(workbench, run, (path) =>
    ask(workbench, 'Export', 'runs.export', { run, format: 'trace', path }),
  );
}

export const exportCaptureTrace = (workbench: Workbench, capture: CaptureInfo): Promise<void> =>
  saveTrace(workbench, capture.title.replace(/\.[^.]*$/, ''), (path) =>
    ask(workbench, 'Export', 'captures.export', { capture: capture.capture, path }),
  );
