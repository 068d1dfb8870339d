import type { HostError } from '../../electron/contract/hostError.ts';
import type { HostResults, RunInfo, RunTable } from '../../electron/contract/protocol.ts';
import type { ViewId } from '../../electron/contract/views.ts';
import { defaultTarget, findTarget } from './catalogue.ts';
import type { PictureFormat } from './chartShelf.ts';
import { errorOf } from './hostClient.ts';
import { isOpen, shownJob } from './jobsStore.ts';
import { kindOf, withTarget } from './kinds/runKinds.ts';
import { dismiss, dismissAll, notify, notifyError } from './notices.ts';
import {
  baselineOf,
  commandLineOf,
  defaultsOf,
  type FormValues,
  problemsOf,
  type StartedSpec,
  specsOf,
  traceFormatOf,
} from './runForm.ts';
import { pairsOf, withChanges } from './runsStore.ts';
import type { Workbench } from './workbench.ts';

/** The actions of commands, buttons and views. Each ends in a store or in a notice, never in a thrown error. */

/** The notice that an A/B job is done; its purpose is served where the comparison is seen. */
export const doneNotice = 'job-done';

export function go(workbench: Workbench, view: ViewId): void {
  if (view === 'compare') dismiss(doneNotice);
  workbench.window.setState({ view });
}

async function attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (thrown) {
    notifyError(what, errorOf(thrown));
    return undefined;
  }
}

// --- form ---

export function formOf(workbench: Workbench): FormValues {
  const { target, values } = workbench.form.getState();
  return values[target] ?? defaultsOf(findTarget(target) ?? defaultTarget());
}

export function changeForm(workbench: Workbench, values: FormValues): void {
  workbench.form.setState((state) => ({ values: { ...state.values, [state.target]: values } }));
}

/** The pair that Run A/B would run. */
export function variantsOf(workbench: Workbench): { readonly baseline: string; readonly compared: string } {
  const target = findTarget(workbench.form.getState().target) ?? defaultTarget();
  return { baseline: baselineOf(target), compared: formOf(workbench).compared };
}

export function chooseTarget(workbench: Workbench, target: string): void {
  workbench.form.setState({ target });
}

export function chooseTrace(workbench: Workbench, path: string): void {
  const { trace, ...rest } = formOf(workbench);
  changeForm(workbench, {
    ...rest,
    trace: { speedup: trace?.speedup ?? 1, path, format: traceFormatOf(path) },
  });
  go(workbench, 'run');
}

export async function openTrace(workbench: Workbench): Promise<void> {
  const path = await attempt('Open trace', () =>
    workbench.bridge.chooseOpenPath({
      title: 'Open a request trace',
      extensions: ['jsonl', 'json', 'csv', 'tsv', 'gz', 'zst'],
    }),
  );
  if (path !== undefined && path !== null) chooseTrace(workbench, path);
}

// --- jobs ---

/** The pair that is compared where `variant` is undefined. */
export async function startRuns(
  workbench: Workbench,
  variant: string | undefined,
  isDefault = false,
): Promise<void> {
  const target = isDefault ? defaultTarget() : findTarget(workbench.form.getState().target);
  if (target === undefined) return;
  const values = isDefault ? defaultsOf(target) : formOf(workbench);
  const [firstProblem] = Object.entries(problemsOf(target, values));
  if (firstProblem !== undefined) {
    const label =
      target.parameters.find((parameter) => parameter.id === firstProblem[0])?.label ?? firstProblem[0];
    notifyError('The form is not complete', { code: 'bad_input', message: `${label}: ${firstProblem[1]}.` });
    go(workbench, 'run');
    return;
  }
  const { trafficProblem } = workbench.form.getState();
  if (!isDefault && values.trace !== null && trafficProblem !== undefined) {
    // The form says what is wrong with it and the footer that it forbids the run: a notice would lie over the way out.
    go(workbench, 'run');
    return;
  }
  let specs: StartedSpec[];
  try {
    specs = specsOf(target, variant, values);
  } catch (thrown) {
    notifyError('These settings contradict each other', errorOf(thrown));
    return;
  }
  const what = variant ?? 'A/B';
  const started = await attempt('The run did not start', () =>
    workbench.client.request('runs.start', {
      title: `${target.title} · ${what}`,
      specs,
      pace: withTarget(target, (kind) => kind.pace(workbench.settings.getState().pace)),
    }),
  );
  if (started === undefined) return;
  dismissAll();
  workbench.window.setState({ view: 'live', ranges: [], frozen: false });
}

export async function cancelJob(workbench: Workbench): Promise<void> {
  const job = shownJob(workbench.jobs.getState().jobs);
  if (job === undefined || !isOpen(job)) return;
  await attempt('Cancel', () => workbench.client.request('jobs.cancel', { job: job.job }));
}

export function copyCommandLine(workbench: Workbench, variant?: string): void {
  const target = findTarget(workbench.form.getState().target);
  if (target !== undefined)
    void copy(workbench, commandLineOf(target, variant, formOf(workbench)), 'Command line copied');
}

export async function copy(workbench: Workbench, text: string, said: string): Promise<void> {
  await attempt('Copy', () => workbench.bridge.copyText(text));
  notify(said, text.length > 120 ? `${text.slice(0, 120)}…` : text);
}

// --- runs ---

/** One answer after another: each is a change to the list that the one before left. */
let refreshing: Promise<void> = Promise.resolve();

export function refreshRuns(workbench: Workbench): Promise<void> {
  refreshing = refreshing.then(() => refreshNow(workbench));
  return refreshing;
}

async function refreshNow(workbench: Workbench): Promise<void> {
  try {
    const { revision } = workbench.runs.getState();
    const answer = await workbench.client.request(
      'runs.list',
      revision === undefined ? {} : { since: revision },
    );
    workbench.runs.setState((state) => withChanges(state, answer));
    for (const run of answer.runs) workbench.live.settle(run);
  } catch (thrown) {
    // Without a host the banner says so, and the list is asked for again when there is one.
    if (workbench.client.isConnected) workbench.runs.setState({ isLoaded: true, error: errorOf(thrown) });
  }
}

export async function describeMachine(workbench: Workbench): Promise<void> {
  try {
    workbench.runs.setState({ machine: await workbench.client.request('machine.describe', {}) });
  } catch {
    // The doctor says why.
  }
}

export function openRun(workbench: Workbench, run: RunInfo): void {
  workbench.window.setState({ view: 'live', ranges: [], frozen: false });
  const sibling = workbench.runs
    .getState()
    .runs.find((other) => other.group === run.group && other.variant === 'baseline' && other.run !== run.run);
  const baseline = sibling?.run ?? workbench.settings.getState().pinnedRun ?? undefined;
  if (run.status === 'running') void workbench.live.watch(run.run, baseline);
  else void workbench.live.open(run.run, baseline);
}

/** Two runs side by side, and more beside them; without `pins` those that are pinned stay. */
export function compare(
  workbench: Workbench,
  baseline: string,
  optimized: string,
  pins: readonly string[] = workbench.runs.getState().pins,
): void {
  workbench.runs.setState({ baseline, optimized, pins });
  go(workbench, 'compare');
}

export function compareLast(workbench: Workbench): void {
  const done = workbench.runs.getState().runs.filter((run) => run.status === 'done');
  const [pair] = pairsOf(done);
  const single = done.find((run) => kindOf(run).comparesItself(run));
  if (single !== undefined && (pair === undefined || single.started > pair.optimized.started))
    compare(workbench, single.run, single.run);
  else if (pair === undefined)
    notify('Nothing to compare yet', 'Run A/B first, or choose two runs in the history.');
  else compare(workbench, pair.baseline.run, pair.optimized.run, []);
}

export function pin(workbench: Workbench, run: string | null): void {
  workbench.settings.setState({ pinnedRun: run });
  workbench.live.setBaseline(run ?? undefined);
}

export async function annotate(
  workbench: Workbench,
  run: string,
  change: { tags?: string[]; note?: string },
): Promise<void> {
  await attempt('The note was not saved', () =>
    workbench.client.request('runs.annotate', { run, ...change }),
  );
  await refreshRuns(workbench);
}

async function restoreRuns(workbench: Workbench, runs: readonly string[]): Promise<void> {
  const done = await attempt('Not restored', () =>
    workbench.client.request('runs.restore', { runs: [...runs] }),
  );
  if (done !== undefined) notify('Restored', `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}.`);
  await refreshRuns(workbench);
}

export async function deleteRuns(workbench: Workbench, runs: readonly string[]): Promise<void> {
  const done = await attempt('Not deleted', () =>
    workbench.client.request('runs.delete', { runs: [...runs] }),
  );
  if (done !== undefined)
    notify('Deleted', `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}; gone for good in a minute.`, {
      label: 'Undo',
      run: () => void restoreRuns(workbench, runs),
    });
  await refreshRuns(workbench);
}

// --- export ---

/** The run that an export means: the one in the charts, or the right side of the comparison. */
export function subjectRun(workbench: Workbench): string | undefined {
  const { view } = workbench.window.getState();
  const { runs, optimized } = workbench.runs.getState();
  return (
    (view === 'compare' ? optimized : undefined) ??
    workbench.live.store.getState().run ??
    optimized ??
    runs[0]?.run
  );
}

/** The table that a run is about: its requests, or the times of its kernels. */
function tableOf(workbench: Workbench, run: string | undefined): 'kernels' | 'requests' {
  const info = workbench.runs.getState().runs.find((each) => each.run === run);
  return info === undefined ? 'requests' : kindOf(info).table;
}

const extensions = { csv: 'csv', json: 'json', parquet: 'parquet', bundle: 'zip' } as const;

export async function exportRun(
  workbench: Workbench,
  format: keyof typeof extensions,
  run = subjectRun(workbench),
  table: RunTable | 'summary' = format === 'json' ? 'summary' : tableOf(workbench, run),
): Promise<void> {
  if (run === undefined) return;
  await attempt('Export', async () => {
    const isTable = format !== 'bundle';
    const path = await workbench.bridge.chooseSavePath({
      title: isTable ? `Export ${table} as ${format.toUpperCase()}` : `Export ${format}`,
      suggestedName: `${run}${isTable ? `-${table}` : ''}.${extensions[format]}`,
      extension: extensions[format],
    });
    if (path === null) return;
    const written = await workbench.client.request('runs.export', {
      run,
      format,
      path,
      ...(isTable ? { table } : {}),
    });
    saved(workbench, written);
  });
}

function saved(workbench: Workbench, { path, bytes }: HostResults['runs.export']): void {
  notify('Saved', `${path} (${bytes.toLocaleString('en-GB')} bytes)`, {
    label: 'Show',
    run: () => void workbench.bridge.showInFolder(path),
  });
}

export async function saveChart(
  workbench: Workbench,
  id: string,
  format: PictureFormat = 'png',
): Promise<void> {
  const chart = workbench.charts.all.find((each) => each.id === id);
  if (chart === undefined) return;
  await attempt('The picture was not saved', async () => {
    const path = await workbench.bridge.chooseSavePath({
      title: `Save ${chart.title} as ${format.toUpperCase()}`,
      suggestedName: `${id}.${format}`,
      extension: format,
    });
    if (path === null) return;
    const picture = await chart.picture(format);
    saved(workbench, { path: await workbench.bridge.writeFile(path, picture), bytes: picture.length });
  });
}

export async function saveAllCharts(workbench: Workbench, format: PictureFormat): Promise<void> {
  const charts = workbench.charts.all;
  if (charts.length === 0) notify('No chart on screen', 'Open Live or Compare first.');
  for (const chart of charts) await saveChart(workbench, chart.id, format);
}

/** The pair that a report is about: the compared one, else the latest. */
function reportPair(workbench: Workbench): { baseline: string; optimized: string } | undefined {
  const { runs, baseline, optimized } = workbench.runs.getState();
  if (baseline !== undefined && optimized !== undefined) return { baseline, optimized };
  const single = runs.find((run) => run.run === subjectRun(workbench) && kindOf(run).reportsAlone(run));
  if (single !== undefined) return { baseline: single.run, optimized: single.run };
  const [pair] = pairsOf(runs.filter((run) => run.status === 'done'));
  return pair === undefined ? undefined : { baseline: pair.baseline.run, optimized: pair.optimized.run };
}

export async function saveReport(workbench: Workbench, format: 'html' | 'pdf'): Promise<void> {
  const pair = reportPair(workbench);
  if (pair === undefined) {
    notify('No report yet', 'A report compares two runs: run A/B first.');
    return;
  }
  await attempt('The report was not saved', async () => {
    const path = await workbench.bridge.chooseSavePath({
      title: `Save report as ${format.toUpperCase()}`,
      suggestedName: `${pair.optimized}-report.${format}`,
      extension: format,
    });
    if (path === null) return;
    saved(
      workbench,
      format === 'html'
        ? await workbench.client.request('runs.report', { ...pair, path })
        : await workbench.bridge.printReport(pair, path),
    );
  });
}

/** Errors of the host that no request asked for. */
export function tellJobError(title: string, error: HostError): void {
  notifyError(title, error);
}
