import { createStore } from 'zustand/vanilla';
import type { HostError } from '../../electron/contract/hostError.ts';
import type { MachineDescription, RunInfo } from '../../electron/contract/protocol.ts';
import { groupedBy } from './grouped.ts';

export interface RunsState {
  readonly isLoaded: boolean;
  /** The latest first. */
  readonly runs: readonly RunInfo[];
  readonly unreadable: readonly { readonly folder: string; readonly reason: string }[];
  readonly error: HostError | undefined;
  readonly machine: MachineDescription | undefined;
  /** The two sides of the compare view. */
  readonly baseline: string | undefined;
  readonly optimized: string | undefined;
  readonly diffOnly: boolean;
}

export function createRunsStore() {
  return createStore<RunsState>(() => ({
    isLoaded: false,
    runs: [],
    unreadable: [],
    error: undefined,
    machine: undefined,
    baseline: undefined,
    optimized: undefined,
    diffOnly: true,
  }));
}
export type RunsStore = ReturnType<typeof createRunsStore>;

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
