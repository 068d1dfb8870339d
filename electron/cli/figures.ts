import type { Summary } from '../../workloads/harness/summary.ts';
import { formatMetric, formatRatio } from '../../workloads/metrics/format.ts';
import { metricLabel } from '../../workloads/metrics/registry.ts';
import type { Comparison, ComparisonRow } from '../contract/protocol.ts';
import type { Paint } from './terminal.ts';
import { textTable } from './textTable.ts';

/** Figures of a summary by dotted metric id, in the order in which tables show them. */
export function figuresOf(summary: Summary): Map<string, number> {
  const figures = new Map<string, number>();
  for (const id of ['ttft_ms', 'tpot_ms', 'itl_ms', 'e2e_ms', 'queue_ms'] as const) {
    const distribution = summary.metrics[id];
    if (distribution === undefined) continue;
    for (const statistic of ['mean', 'p50', 'p90', 'p95', 'p99'] as const)
      figures.set(`${id}.${statistic}`, distribution[statistic]);
  }
  if (summary.goodput_rps !== undefined) figures.set('goodput_rps', summary.goodput_rps);
  figures.set('throughput_rps', summary.throughput_rps);
  figures.set('output_tokens_per_s', summary.output_tokens_per_s);
  if (summary.kv !== undefined) {
    figures.set('prefix_hit_rate', summary.kv.hit_rate);
    figures.set('transfer_bytes', summary.kv.transfer_bytes);
  }
  figures.set('completed', summary.requests.completed);
  figures.set('rejected', summary.requests.rejected);
  if (summary.requests.preempted !== undefined) figures.set('preemptions', summary.requests.preempted);
  if (summary.requests.migrated !== undefined) figures.set('migrations', summary.requests.migrated);
  if (summary.balance !== undefined) figures.set('request_imbalance', summary.balance.request_imbalance);
  return figures;
}

const verdicts = { better: 'better', worse: 'worse', no_evidence: 'no evidence' } as const;

/** The A/B table: both variants, ratio, interval and verdict. */
export function comparisonTable(
  names: readonly [string, string],
  summaries: readonly [Summary, Summary],
  comparison: Comparison,
  paint: Paint,
): string {
  const [a, b] = [figuresOf(summaries[0]), figuresOf(summaries[1])];
  const compared = new Map(comparison.rows.map((row) => [row.metric, row]));
  const ids = [...new Set([...a.keys(), ...compared.keys()])];
  const rows = ids.flatMap((id) => {
    const row = compared.get(id);
    const left = row?.baseline ?? a.get(id);
    const right = row?.optimized ?? b.get(id);
    if (left === undefined || right === undefined) return [];
    const both = [formatMetric(id, left), formatMetric(id, right)];
    return [[metricLabel(id), ...both, ...intervalCells(row, left, right, paint)]];
  });
  return textTable(
    [
      { title: 'metric' },
      { title: names[0], align: 'right' },
      { title: names[1], align: 'right' },
      { title: 'ratio', align: 'right' },
      { title: '95 % CI', align: 'right' },
      { title: 'verdict' },
    ],
    rows,
  );
}

function intervalCells(row: ComparisonRow | undefined, left: number, right: number, paint: Paint): string[] {
  if (row === undefined) return [left > 0 ? formatRatio(right / left) : '', '', ''];
  const word = verdicts[row.verdict];
  const painted =
    row.verdict === 'better'
      ? paint.good(word)
      : row.verdict === 'worse'
        ? paint.bad(word)
        : paint.faint(word);
  return [formatRatio(row.ratio), `${row.ci95[0].toFixed(3)}–${row.ci95[1].toFixed(3)}`, painted];
}

/** One run's figures. */
export function summaryTable(name: string, summary: Summary): string {
  return textTable(
    [{ title: 'metric' }, { title: name, align: 'right' }],
    [...figuresOf(summary)].map(([id, value]) => [metricLabel(id), formatMetric(id, value)]),
  );
}
