import { createStore } from 'zustand/vanilla';
import type { HostState } from '../../electron/contract/bridge.ts';
import type { ViewId } from '../../electron/contract/views.ts';
import type { RangeStack } from './timeRange.ts';

/** The content of the inspector. */
export type Selection =
  | { readonly kind: 'none' }
  | { readonly kind: 'request'; readonly run: string; readonly request: number; readonly other?: string };

export interface LogLine {
  readonly id: number;
  readonly timeMs: number;
  readonly level: 'info' | 'warning' | 'error';
  readonly message: string;
}

export interface WindowState {
  readonly view: ViewId;
  readonly selection: Selection;
  readonly ranges: RangeStack;
  /** The view stands still while data goes on. */
  readonly frozen: boolean;
  readonly logOpen: boolean;
  readonly log: readonly LogLine[];
  readonly host: HostState;
  readonly shortcutsOpen: boolean;
}

export function createWindowStore() {
  return createStore<WindowState>(() => ({
    view: 'home',
    selection: { kind: 'none' },
    ranges: [],
    frozen: false,
    logOpen: false,
    log: [],
    host: { state: 'up' },
    shortcutsOpen: false,
  }));
}
export type WindowStore = ReturnType<typeof createWindowStore>;

const keptLines = 500;

export function addLogLine(store: WindowStore, line: Omit<LogLine, 'id'>): void {
  store.setState(({ log }) => ({
    log: [...log.slice(-(keptLines - 1)), { ...line, id: (log.at(-1)?.id ?? 0) + 1 }],
  }));
}
