import { useStore } from 'zustand';
import type { RunInfo } from '../../electron/contract/protocol.ts';
import { pairNames, runNames } from '../../workloads/catalog/runNames.ts';
import { findTarget } from './catalogue.ts';
import { useWorkbench } from './workbench.ts';

const known = new WeakMap<readonly RunInfo[], ReadonlyMap<string, string>>();

/** The name of each run among all of these, by its id; made once per list. */
export function namesOf(runs: readonly RunInfo[]): ReadonlyMap<string, string> {
  const before = known.get(runs);
  if (before !== undefined) return before;
  const texts = runNames(runs, findTarget);
  const names = new Map(runs.map(({ run }, index) => [run, texts[index] ?? '']));
  known.set(runs, names);
  return names;
}

/** Names of all runs on disk. */
export function useRunNames(): ReadonlyMap<string, string> {
  return useStore(useWorkbench().runs, (state) => namesOf(state.runs));
}

/** Two runs that are compared. */
export interface ComparedPair {
  readonly baseline: RunInfo;
  readonly optimized: RunInfo;
  readonly isSimulated: boolean;
  /** What each side is called, never the same. */
  readonly names: readonly [string, string];
  /** Tokens of their colours, never the same. */
  readonly tokens: readonly [string, string];
}

/** Both sides with the names and colours that tell them apart. */
export function comparedPair(baseline: RunInfo, optimized: RunInfo): ComparedPair {
  return {
    baseline,
    optimized,
    isSimulated: optimized.engine === 'sim',
    names: pairNames(baseline, optimized, findTarget),
    tokens: pairTokens(baseline.variant, optimized.variant),
  };
}

const tokens: Readonly<Record<string, string>> = {
  baseline: '--baseline',
  optimized: '--optimized',
  as_published: '--as-published',
};

/** Each run's own colour: that of its variant, and another one for the second of two runs of one variant. */
export function pairTokens(left: string, right: string): readonly [string, string] {
  const [a, b] = [tokens[left] ?? '--other-variant', tokens[right] ?? '--other-variant'];
  return [a, a === b ? '--second-run' : b];
}
