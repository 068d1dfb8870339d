import { type ViewId, viewList } from './views.ts';

/**
 * Every command of the window, once. The native menu (main), and the palette, buttons, shortcuts and cheat sheet (renderer)
 * are made from this list; what a command does and when it can run lives in the renderer's command registry.
 *
 * `keys` is written as `Mod+Shift+P`: Mod is Ctrl, and Command on macOS.
 */
export interface CommandEntry {
  readonly id: string;
  readonly title: string;
  readonly menu: 'File' | 'View' | 'Run' | 'Compare' | 'Help';
  readonly keys?: string;
  /** A separator is drawn above it in the menu. */
  readonly startsGroup?: boolean;
}

const commandList = [
  { id: 'file.open-trace', title: 'Open trace…', menu: 'File', keys: 'Mod+O' },
  { id: 'file.open-report', title: 'Open Nsight report…', menu: 'File', keys: 'Mod+Shift+O' },
  { id: 'file.runs-folder', title: 'Show runs folder', menu: 'File' },
  { id: 'export.report-html', title: 'Save report as HTML…', menu: 'File', keys: 'Mod+S', startsGroup: true },
  { id: 'export.report-pdf', title: 'Save report as PDF…', menu: 'File' },
  { id: 'export.csv', title: 'Export requests as CSV…', menu: 'File', startsGroup: true },
  { id: 'export.json', title: 'Export summary as JSON…', menu: 'File' },
  { id: 'export.parquet', title: 'Export requests as Parquet…', menu: 'File' },
  { id: 'export.bundle', title: 'Export run bundle…', menu: 'File' },
  { id: 'export.trace', title: 'Export run as Chrome trace (Perfetto)…', menu: 'File' },
  { id: 'export.charts', title: 'Save charts as PNG…', menu: 'File' },
  { id: 'export.charts-svg', title: 'Save charts as SVG…', menu: 'File' },

  { id: 'window.inspector', title: 'Show or hide inspector', menu: 'View', keys: 'Mod+I', startsGroup: true },
  { id: 'window.log', title: 'Show or hide log', menu: 'View', keys: 'Mod+J' },
  { id: 'view.search', title: 'Search in this view', menu: 'View', keys: '/' },
  { id: 'view.freeze', title: 'Freeze or resume the view', menu: 'View', keys: 'Space' },
  { id: 'range.pop', title: 'Back to the wider range', menu: 'View', keys: 'Escape' },
  { id: 'range.reset', title: 'Whole run', menu: 'View', keys: '0' },
  { id: 'charts.log-latency', title: 'Logarithmic latency axes', menu: 'View', keys: 'Shift+L' },
  { id: 'theme.dark', title: 'Dark theme', menu: 'View', startsGroup: true },
  { id: 'theme.light', title: 'Light theme', menu: 'View' },
  { id: 'theme.system', title: 'Theme of the system', menu: 'View' },
  { id: 'theme.toggle', title: 'Switch between dark and light', menu: 'View', keys: 'Mod+Shift+L' },

  { id: 'run.default-lab', title: 'Run the default lab', menu: 'Run' },
  { id: 'run.baseline', title: 'Run baseline', menu: 'Run', startsGroup: true },
  { id: 'run.optimized', title: 'Run the compared variant', menu: 'Run' },
  { id: 'run.ab', title: 'Run A/B', menu: 'Run', keys: 'Mod+Enter' },
  { id: 'run.cancel', title: 'Cancel the running job', menu: 'Run', keys: 'Mod+.', startsGroup: true },
  { id: 'run.copy-command', title: 'Copy the equivalent command line', menu: 'Run', keys: 'Mod+Shift+C' },

  { id: 'compare.last', title: 'Compare the latest A/B pair', menu: 'Compare', keys: 'C' },
  { id: 'compare.swap', title: 'Swap the two sides', menu: 'Compare', keys: 'X' },
  { id: 'compare.diff-only', title: 'Show only what differs', menu: 'Compare' },
  { id: 'compare.unpin', title: 'Unpin the baseline', menu: 'Compare' },

  { id: 'help.palette', title: 'Command palette', menu: 'Help', keys: 'Mod+Shift+P' },
  { id: 'help.shortcuts', title: 'Keyboard shortcuts', menu: 'Help', keys: '?' },
] as const satisfies readonly CommandEntry[];

export type CommandId = (typeof commandList)[number]['id'] | `view.${ViewId}`;

const viewCommands = viewList.map(({ id, title, keys }) => ({
  id: `view.${id}` as const,
  title,
  menu: 'View' as const,
  keys,
}));
const firstOfView = commandList.findIndex(({ menu }) => menu === 'View');

export const commands: readonly (CommandEntry & { readonly id: CommandId })[] = [
  ...commandList.slice(0, firstOfView),
  ...viewCommands,
  ...commandList.slice(firstOfView),
];
