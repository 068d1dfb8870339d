import type { ExpectedFigure } from '../../workloads/harness/expectations/expectations.ts';
import type { KernelSummary } from '../../workloads/kernels/kernelSummary.ts';
import { summaryFigures } from '../../workloads/metrics/summaryFigures.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import type { Comparison } from '../contract/protocol.ts';

/**
 * The figures that a bench of served requests is held to. Simulated: every compared figure of both variants and those that the
 * lesson is about, exact. Measured: the ratios with their intervals, since one run's own figures carry none.
 */
export function servingFigures(
  names: readonly [string, string],
  summaries: readonly [Summary, Summary],
  { rows }: Pick<Comparison, 'rows'>,
  claims: readonly string[],
): ExpectedFigure[] {
  const [first] = summaries;
  if (!first.simulated) {
    const n = Math.min(...summaries.map(({ requests }) => requests.completed));
    if (n === 0) return [];
    return rows.map(({ metric, ratio, ci95 }) => ({ of: 'ratio', metric, median: ratio, ci95, n }));
  }
  const compared = new Set(rows.map(({ metric }) => metric));
  const isClaimed = (id: string): boolean =>
    !compared.has(id) && claims.some((claim) => id === claim || id.startsWith(`${claim}.`));
  return names.flatMap((of, side) => {
    const summary = summaries[side] ?? first;
    const n = summary.iterations;
    const own = [...summaryFigures(summary)].filter(([id]) => isClaimed(id));
    return [
      ...rows.map((row) => ({
        of,
        metric: row.metric,
        median: side === 0 ? row.baseline : row.optimized,
        n,
      })),
      ...own.map(([metric, median]) => ({ of, metric, median, n })),
    ];
  });
}

/** Times of kernels; too few repetitions for an interval are held to their range. */
export const kernelFigures = ({ variants }: KernelSummary): ExpectedFigure[] =>
  Object.entries(variants).map(
    ([
      of,
      {
        iteration_ms: { median, ci95, min, max, n },
      },
    ]) => ({
      of,
      metric: 'workload_ms',
      median,
      ci95: ci95 === undefined ? [min, max] : [ci95[0], ci95[1]],
      n,
    }),
  );
