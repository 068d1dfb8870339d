import { commands } from '../../electron/contract/commands.ts';
import type { Job } from '../../electron/contract/protocol.ts';
import { describeMachine, doneNotice, go, refreshRuns, tellJobError } from './actions.ts';
import { defaultTarget } from './catalogue.ts';
import { isCommandId, runCommand } from './commandRegistry.ts';
import { shownJob, withJob } from './jobsStore.ts';
import { isMac, matches, takesText } from './keys.ts';
import { kindOf } from './kinds/runKinds.ts';
import { notify } from './notices.ts';
import { openAny } from './openAny.ts';
import { pairsOf } from './runsStore.ts';
import { addLogLine } from './windowStore.ts';
import type { Workbench } from './workbench.ts';

/** Ties the workbench to the world: the port to the host, its events, the menu and the keyboard. For the life of the page. */
export function attach(workbench: Workbench): void {
  workbench.form.setState({ target: defaultTarget().id });
  attachHost(workbench);
  attachKeys(workbench);
  attachDrop(workbench);
  attachReadOut(workbench);
  workbench.bridge.onMenuCommand((id) => {
    if (isCommandId(id)) runCommand(workbench, id);
  });
  const { settings } = workbench;
  settings.subscribe((state, before) => {
    if (state.theme !== before.theme) void workbench.bridge.setTheme(state.theme);
  });
}

function attachHost(workbench: Workbench): void {
  const { client, window: store } = workbench;
  window.addEventListener('message', (event) => {
    const [port] = event.ports;
    if (event.source === window && event.data === 'dyno:host-port' && port !== undefined)
      client.connect(port);
  });
  workbench.bridge.onHostState((host) => {
    store.setState({ host });
    if (host.state === 'restarting' || host.state === 'gone') client.disconnect('the host process ended');
  });
  client.onConnect(() => {
    void refreshRuns(workbench);
    void describeMachine(workbench);
    void client.request('jobs.list', {}).then(
      ({ jobs }) => workbench.jobs.setState({ jobs }),
      (thrown: unknown) => client.note(thrown),
    );
  });
  client.onEvent((event) => {
    switch (event.event) {
      case 'job':
        receiveJob(workbench, event.job);
        break;
      case 'runs_changed':
        void refreshRuns(workbench);
        break;
      case 'log':
        addLogLine(store, { timeMs: event.time_ms, level: event.level, message: event.message });
        break;
      // The captures store and the live session have listeners of their own.
      case 'capture':
      case 'frame':
        break;
      default:
      // Events of views that this window does not have.
    }
  });
}

function receiveJob(workbench: Workbench, job: Job): void {
  const { jobs } = workbench.jobs.getState();
  const before = jobs.find((known) => known.job === job.job);
  const all = withJob(jobs, job);
  workbench.jobs.setState({ jobs: all });
  const isShown = shownJob(all)?.job === job.job;
  if (isShown && (job.state === 'running' || job.state === 'finishing'))
    workbench.live.follow(job, workbench.settings.getState().pinnedRun);
  if (before?.state === job.state) return;
  if (job.state === 'failed')
    tellJobError(
      `${job.title} ${wasInterrupted(job) ? 'was interrupted' : 'failed'}`,
      job.error ?? { code: 'failed', message: 'The run ended without a reason.' },
    );
  if (job.state === 'done') void finished(workbench, job);
}

const wasInterrupted = (job: Job) => job.runs.some((run) => run.status === 'interrupted');

/** An A/B job ends in the comparison: it is offered, not forced. */
async function finished(workbench: Workbench, job: Job): Promise<void> {
  await refreshRuns(workbench);
  const ids = new Set(job.runs.map((run) => run.run));
  const own = workbench.runs.getState().runs.filter((run) => ids.has(run.run));
  const [pair] = pairsOf(own);
  const single = own.find((run) => kindOf(run).comparesItself(run));
  if (pair === undefined && single === undefined) return;
  workbench.runs.setState({
    baseline: pair?.baseline.run ?? single?.run,
    optimized: pair?.optimized.run ?? single?.run,
  });
  notify(
    `${job.title} is done`,
    single?.kernel?.verdict ?? 'Both runs are kept.',
    { label: 'Compare', run: () => go(workbench, 'compare') },
    doneNotice,
  );
}

function attachKeys(workbench: Workbench): void {
  const mac = isMac(navigator.platform);
  window.addEventListener('keydown', (event) => {
    if (event.defaultPrevented) return;
    const target = event.target instanceof HTMLElement ? event.target : document.body;
    const hasModifier = event.ctrlKey || event.metaKey;
    if (!hasModifier && takesText(target)) return;
    // Space and Enter belong to the focused control; Escape to an open dialog.
    if (
      event.code === 'Space' &&
      target.closest('button, a, [role="switch"], [role="option"], summary') !== null
    )
      return;
    if (event.key === 'Escape' && document.querySelector('[role="dialog"]') !== null) return;
    const command = commands.find(({ keys }) => keys !== undefined && matches(keys, event, mac));
    if (command !== undefined && runCommand(workbench, command.id)) event.preventDefault();
  });
}

/** A file dropped anywhere on the window is opened as what it is. Without this the page would navigate to it. */
function attachDrop(workbench: Workbench): void {
  const { dataset } = document.documentElement;
  window.addEventListener('dragover', (event) => {
    event.preventDefault();
    dataset['dropping'] = 'true';
  });
  window.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) delete dataset['dropping'];
  });
  window.addEventListener('drop', (event) => {
    event.preventDefault();
    delete dataset['dropping'];
    const file = event.dataTransfer?.files.item(0);
    const path = file == null ? '' : workbench.bridge.pathOfFile(file);
    if (path === '') return;
    void openAny(workbench, path);
  });
}

/** Cost of drawing, for tests and benchmarks: p50 and p99 of a frame, ms, once a second on the root element. */
function attachReadOut({ scheduler }: Workbench): void {
  const { dataset } = document.documentElement;
  setInterval(() => {
    const { n, p50, p99 } = scheduler.cost;
    if (n > 0) dataset['frames'] = `${n} p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)}`;
  }, 1000);
}
