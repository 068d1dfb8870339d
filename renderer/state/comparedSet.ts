import { useMemo } from 'react';
import { useStore } from 'zustand';
import type { RunInfo } from '../../electron/contract/protocol.ts';
import { runNames } from '../../workloads/catalog/runNames.ts';
import { findTarget } from './catalogue.ts';
import { when } from './number.ts';
import { pairTokens } from './runNames.ts';
import { mostPins } from './runsStore.ts';
import { useWorkbench } from './workbench.ts';

/** A run of the comparison, with what tells it apart in every table and chart: a name, a colour and a line style. */
export interface ComparedRun {
  readonly run: RunInfo;
  readonly name: string;
  readonly token: string;
  /** Lengths of strokes and gaps in pixels; absent: a solid line. */
  readonly dash?: readonly number[];
}

const pinStyles: readonly { readonly token: string; readonly dash: readonly number[] }[] = [
  { token: '--series-3', dash: [2, 2] },
  { token: '--series-6', dash: [9, 3, 2, 3] },
  { token: '--series-4', dash: [12, 4] },
  { token: '--series-8', dash: [1, 4] },
];

/** Baseline, compared run, then the pins: names that are never the same, a style for each place. */
export function comparedSet(
  baseline: RunInfo,
  optimized: RunInfo,
  pins: readonly RunInfo[],
): readonly ComparedRun[] {
  const runs = [baseline, optimized, ...pins.slice(0, mostPins)];
  const names = runNames(runs, findTarget);
  const isShared = (name: string | undefined) => names.filter((other) => other === name).length > 1;
  const [left, right] = pairTokens(baseline.variant, optimized.variant);
  return runs.map((run, index) => {
    const name = names[index] ?? run.variant;
    const style =
      index === 0
        ? { token: left, dash: [6, 3] }
        : index === 1
          ? { token: right }
          : (pinStyles[index - 2] ?? { token: '--text-3' });
    return {
      run,
      name: isShared(name) ? `${String.fromCharCode(65 + index)} · ${name} · ${when(run.started)}` : name,
      ...style,
    };
  });
}

/** The runs pinned beside these two that are still there. */
export function usePinnedRuns(baseline: RunInfo, optimized: RunInfo): readonly RunInfo[] {
  const { runs: store } = useWorkbench();
  const pins = useStore(store, (state) => state.pins);
  const runs = useStore(store, (state) => state.runs);
  return useMemo(
    () =>
      pins
        .filter((pin) => pin !== baseline.run && pin !== optimized.run)
        .flatMap((pin) => runs.find(({ run }) => run === pin) ?? []),
    [pins, runs, baseline.run, optimized.run],
  );
}
