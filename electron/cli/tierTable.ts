import { formatMetric } from '../../workloads/metrics/format.ts';
import { metricLabel } from '../../workloads/metrics/registry.ts';
import { tierColumns, tierFigure } from '../../workloads/metrics/tierFigures.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import { textTable } from './textTable.ts';

/** How each tier fared in each of the runs; undefined where no run has more than one tier. */
export function tierTable(names: readonly string[], summaries: readonly Summary[]): string | undefined {
  const rows = summaries.flatMap((summary, i) => {
    const tiers = summary.admission?.tiers ?? [];
    if (tiers.length < 2) return [];
    return tiers.map((tier) => [
      tier.name,
      names[i] ?? '',
      ...tierColumns.map((column) => {
        const value = tierFigure(tier, column);
        return value === undefined ? '–' : formatMetric(column, value);
      }),
    ]);
  });
  if (rows.length === 0) return undefined;
  // Both runs of a tier under each other.
  const order = new Map([...new Set(rows.map((row) => row[0]))].map((name, i) => [name, i]));
  rows.sort((a, b) => (order.get(a[0]) ?? 0) - (order.get(b[0]) ?? 0));
  return textTable(
    [
      { title: 'tier' },
      { title: 'variant' },
      ...tierColumns.map((column) => ({ title: metricLabel(column), align: 'right' as const })),
    ],
    rows,
  );
}
