import type { Ns } from '../../../../workloads/units.ts';
import type { NameSummary, NsysReport } from './nsysReport.ts';
import { summariseNames } from './summaries.ts';

/**
 * Two captures kernel by kernel, baseline first, the largest change of total time first. It tells where time went; it is
 * no verdict: one capture a side has no interval, and the profiler slowed both.
 */
export interface KernelDifference {
  readonly name: string;
  /** Absent where the side never ran it. */
  readonly baseline?: NameSummary;
  readonly optimized?: NameSummary;
  /** optimized − baseline; a kernel that only one side ran counts whole. */
  readonly totalDifferenceNs: Ns;
  /** Of the medians, optimized / baseline; absent where a side never ran it. */
  readonly medianRatio?: number;
}

export function compareKernels(baseline: NsysReport, optimized: NsysReport): KernelDifference[] {
  const before = new Map(summariseNames(baseline.kernels, baseline.names).map((row) => [row.name, row]));
  const after = new Map(summariseNames(optimized.kernels, optimized.names).map((row) => [row.name, row]));
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((name) => {
      const [a, b] = [before.get(name), after.get(name)];
      return {
        name,
        ...(a === undefined ? {} : { baseline: a }),
        ...(b === undefined ? {} : { optimized: b }),
        totalDifferenceNs: (b?.totalNs ?? 0) - (a?.totalNs ?? 0),
        ...(a === undefined || b === undefined || a.medianNs === 0
          ? {}
          : { medianRatio: b.medianNs / a.medianNs }),
      };
    })
    .sort(
      (a, b) => Math.abs(b.totalDifferenceNs) - Math.abs(a.totalDifferenceNs) || (a.name < b.name ? -1 : 1),
    );
}
