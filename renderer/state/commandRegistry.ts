import { type CommandId, commands } from '../../electron/contract/commands.ts';
import { type ViewId, viewList } from '../../electron/contract/views.ts';
import * as actions from './actions.ts';
import { exportTrace, openReport } from './capturesStore.ts';
import { isOpen, shownJob } from './jobsStore.ts';
import { openPalette } from './palette.ts';
import { popRange } from './timeRange.ts';
import type { Workbench } from './workbench.ts';

/** The action of a command, and the condition under which it can run: the other half of `electron/contract/commands.ts`. */
interface Deed {
  readonly run: (workbench: Workbench) => void;
  readonly when?: (workbench: Workbench) => boolean;
}

const hasCharts = (workbench: Workbench) => workbench.charts.all.length > 0;
const hasRun = (workbench: Workbench) => actions.subjectRun(workbench) !== undefined;
const hasPair = (workbench: Workbench) => workbench.runs.getState().baseline !== undefined;
const isRunning = (workbench: Workbench) => {
  const job = shownJob(workbench.jobs.getState().jobs);
  return job !== undefined && isOpen(job);
};

/** The search box of the view that is shown. */
const searchBox = (): HTMLElement | undefined =>
  document.querySelector<HTMLElement>('main input[data-search]') ?? undefined;

type ViewCommand = `view.${ViewId}`;

const deeds: Readonly<Record<Exclude<CommandId, ViewCommand>, Deed>> = {
  'file.open-trace': { run: (w) => void actions.openTrace(w) },
  'file.open-report': { run: (w) => void openReport(w) },
  'file.runs-folder': {
    run: (w) => void w.bridge.showInFolder(w.runs.getState().machine?.runs_folder ?? ''),
    when: (w) => w.runs.getState().machine !== undefined,
  },
  'export.report-html': { run: (w) => void actions.saveReport(w, 'html') },
  'export.report-pdf': { run: (w) => void actions.saveReport(w, 'pdf') },
  'export.csv': { run: (w) => void actions.exportRun(w, 'csv'), when: hasRun },
  'export.json': { run: (w) => void actions.exportRun(w, 'json'), when: hasRun },
  'export.parquet': { run: (w) => void actions.exportRun(w, 'parquet'), when: hasRun },
  'export.bundle': { run: (w) => void actions.exportRun(w, 'bundle'), when: hasRun },
  'export.trace': { run: (w) => void exportTrace(w), when: hasRun },
  'export.charts': { run: (w) => void actions.saveAllCharts(w, 'png'), when: hasCharts },
  'export.charts-svg': { run: (w) => void actions.saveAllCharts(w, 'svg'), when: hasCharts },

  'window.inspector': {
    run: (w) => w.settings.setState((state) => ({ inspectorOpen: !state.inspectorOpen })),
  },
  'window.log': { run: (w) => w.window.setState((state) => ({ logOpen: !state.logOpen })) },
  'view.search': {
    run: () => searchBox()?.focus(),
    when: () => searchBox() !== undefined,
  },
  'view.freeze': {
    run: (w) => w.window.setState((state) => ({ frozen: !state.frozen })),
    when: (w) => w.window.getState().view === 'live' && w.live.store.getState().run !== undefined,
  },
  'range.pop': {
    run: (w) => w.window.setState((state) => ({ ranges: popRange(state.ranges) })),
    when: (w) => w.window.getState().ranges.length > 0,
  },
  'range.reset': {
    run: (w) => w.window.setState({ ranges: [] }),
    when: (w) => w.window.getState().ranges.length > 0,
  },
  'charts.log-latency': { run: (w) => w.settings.setState((state) => ({ logLatency: !state.logLatency })) },
  'theme.dark': { run: (w) => w.settings.setState({ theme: 'dark' }) },
  'theme.light': { run: (w) => w.settings.setState({ theme: 'light' }) },
  'theme.system': { run: (w) => w.settings.setState({ theme: 'system' }) },
  'theme.toggle': {
    run: (w) => {
      const isDark = document.documentElement.dataset['mantineColorScheme'] !== 'light';
      w.settings.setState({ theme: isDark ? 'light' : 'dark' });
    },
  },

  'run.default-lab': { run: (w) => void actions.startRuns(w, undefined, true) },
  'run.baseline': { run: (w) => void actions.startRuns(w, actions.variantsOf(w).baseline) },
  'run.optimized': { run: (w) => void actions.startRuns(w, actions.variantsOf(w).compared) },
  'run.ab': { run: (w) => void actions.startRuns(w, undefined) },
  'run.cancel': { run: (w) => void actions.cancelJob(w), when: isRunning },
  'run.copy-command': { run: (w) => actions.copyCommandLine(w) },

  'compare.last': { run: (w) => actions.compareLast(w) },
  'compare.swap': {
    run: (w) => w.runs.setState(({ baseline, optimized }) => ({ baseline: optimized, optimized: baseline })),
    when: (w) => w.window.getState().view === 'compare' && hasPair(w),
  },
  'compare.diff-only': {
    run: (w) => w.runs.setState((state) => ({ diffOnly: !state.diffOnly })),
    when: hasPair,
  },
  'compare.unpin': {
    run: (w) => actions.pin(w, null),
    when: (w) => w.settings.getState().pinnedRun !== null,
  },

  'help.palette': { run: () => openPalette() },
  'help.shortcuts': { run: (w) => w.window.setState((state) => ({ shortcutsOpen: !state.shortcutsOpen })) },
};

const viewDeeds = new Map<string, Deed>(
  viewList.map(({ id }) => [`view.${id}`, { run: (workbench: Workbench) => actions.go(workbench, id) }]),
);

/** `deeds` has every command that opens no view, which the compiler cannot see of a lookup by name. */
const deedOf = (id: CommandId): Deed | undefined =>
  viewDeeds.get(id) ?? Object.entries(deeds).find(([known]) => known === id)?.[1];

export const canRun = (workbench: Workbench, id: CommandId): boolean => {
  const deed = deedOf(id);
  return deed !== undefined && (deed.when?.(workbench) ?? true);
};

/** False where the command cannot run now. */
export function runCommand(workbench: Workbench, id: CommandId): boolean {
  if (!canRun(workbench, id)) return false;
  deedOf(id)?.run(workbench);
  return true;
}

export function isCommandId(id: string): id is CommandId {
  return viewDeeds.has(id) || Object.hasOwn(deeds, id);
}

export const keysOf = (id: CommandId): string | undefined =>
  commands.find((command) => command.id === id)?.keys;
