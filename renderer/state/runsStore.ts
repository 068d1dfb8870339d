import { createStore } from 'zustand/vanilla';
import type { HostError } from '../../electron/contract/hostError.ts';
import type { MachineDescription } from '../../electron/contract/machine.ts';
import type { HostResults, RunInfo } from '../../electron/contract/protocol.ts';
import { groupedBy } from './grouped.ts';

/** Runs beside the two of a comparison: six in all. */
export const mostPins = 4;

export interface RunsState {
  readonly isLoaded: boolean;
  /** Of the list as the host knows it; undefined before the first answer. */
  readonly revision: string | undefined;
  /** The latest first. */
  readonly runs: readonly RunInfo[];
  readonly unreadable: readonly { readonly folder: string; readonly reason: string }[];
  readonly error: HostError | undefined;
  readonly machine: MachineDescription | undefined;
  /** The two sides of the compare view. */
  readonly baseline: string | undefined;
  readonly optimized: string | undefined;
  /** More runs beside those two, each compared with the same baseline; at most `mostPins`. */
  readonly pins: readonly string[];
  readonly diffOnly: boolean;
}

export function createRunsStore() {
  return createStore<RunsState>(() => ({
    isLoaded: false,
    revision: undefined,
    runs: [],
    unreadable: [],
    error: undefined,
    machine: undefined,
    baseline: undefined,
    optimized: undefined,
    pins: [],
    diffOnly: true,
  }));
}
export type RunsStore = ReturnType<typeof createRunsStore>;

/** The list after an answer of the host: changed runs take the place of their older selves, the latest first. */
export function withChanges(
  state: RunsState,
  { revision, isWhole, runs, removed, unreadable }: HostResults['runs.list'],
): Partial<RunsState> {
  const rest = { isLoaded: true, revision, unreadable, error: undefined };
  if (!isWhole && runs.length === 0 && removed.length === 0) return rest;
  const gone = new Set([...removed, ...runs.map(({ run }) => run)]);
  const kept = isWhole ? [] : state.runs.filter(({ run }) => !gone.has(run));
  // Times are ISO 8601 in UTC: their order is that of their letters.
  const order = (a: RunInfo, b: RunInfo) => (a.started < b.started ? 1 : a.started > b.started ? -1 : 0);
  return { ...rest, runs: [...runs, ...kept].sort(order) };
}

export interface RunPair {
  readonly baseline: RunInfo;
  readonly optimized: RunInfo;
}

/** Runs of one button press that belong side by side, the latest pair first. */
export function pairsOf(runs: readonly RunInfo[]): RunPair[] {
  const groups = groupedBy(runs, (run) => run.group);
  const pairs: RunPair[] = [];
  for (const group of groups.values()) {
    const baseline = group.find((run) => run.variant === 'baseline');
    const optimized = group.find((run) => run.variant !== 'baseline');
    if (baseline !== undefined && optimized !== undefined) pairs.push({ baseline, optimized });
  }
  return pairs;
}

/** Baseline first (the run called so, else the oldest), then by start. */
export function inComparisonOrder(runs: readonly RunInfo[]): readonly RunInfo[] {
  const rank = ({ variant }: RunInfo) => (variant === 'baseline' ? 0 : 1);
  return runs.toSorted((a, b) => rank(a) - rank(b) || (a.started < b.started ? -1 : 1));
}
