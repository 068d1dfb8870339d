import { formatMetric, formatRatio } from '../../workloads/metrics/format.ts';
import { metricLabel } from '../../workloads/metrics/registry.ts';
import { summaryFigures } from '../../workloads/metrics/summaryFigures.ts';
import type { Summary } from '../../workloads/run/summary.ts';
import type { Comparison, ComparisonRow } from '../contract/protocol.ts';
import { modelTable } from './modelTable.ts';
import type { Paint } from './terminal.ts';
import { textTable } from './textTable.ts';
import { tierTable } from './tierTable.ts';

const windowRules = {
  given: 'as asked for',
  mser5: 'warm-up found by MSER-5',
  all: 'first arrival to last',
  whole: 'the whole run: too few requests for a warm-up',
} as const;

/** The measured window in one line, then the reasons to doubt its figures. */
export function windowLines(name: string, { window, overload, iterations }: Summary): string[] {
  if (window === undefined) return [];
  const of = iterations > 1 ? ` (mean of ${iterations} replicates)` : '';
  const lines = [
    `${name}: measured from ${window.from_s.toFixed(1)} to ${window.to_s.toFixed(1)} s${of}, ${window.requests} requests; ${windowRules[window.rule]}`,
  ];
  if (overload !== undefined)
    lines.push(
      `${name}: overloaded: ${overload.arrived_rps.toPrecision(3)} requests/s arrive, ${overload.served_rps.toPrecision(3)} are served, ` +
        `and the queue (${overload.waiting.toFixed(0)}) still grows by ${overload.growth_rps.toPrecision(2)}/s at the end: latencies say how long the run was. \`dyno capacity\` finds the rate that it sustains.`,
    );
  else if (window.settled < 1)
    lines.push(
      `${name}: not settled: the number of requests in the system still moves in the middle of the run; run longer`,
    );
  return lines;
}

/** Metrics that a table leaves out: they follow from the others, or mean nothing alone. */
const notShown =
  /\.(?:min|max)$|^(?:prompt_tokens_per_s|hits|evictions|transfers|arrived|unfinished|token_imbalance|good_share)$/;

/** The figures that a table of a terminal shows. */
const shownFigures = (summary: Summary): Map<string, number> =>
  new Map([...summaryFigures(summary)].filter(([id]) => !notShown.test(id)));

const verdicts = { better: 'better', worse: 'worse', no_evidence: 'no evidence' } as const;

/** The A/B table: both variants, ratio, interval and verdict. */
export function comparisonTable(
  names: readonly [string, string],
  summaries: readonly [Summary, Summary],
  comparison: Comparison,
  paint: Paint,
): string {
  const [a, b] = [shownFigures(summaries[0]), shownFigures(summaries[1])];
  const compared = new Map(comparison.rows.map((row) => [row.metric, row]));
  // What only one of them has (tiers, a technique) is shown with a dash for the other.
  const ids = [
    ...new Set([...(b.size > a.size ? b : a).keys(), ...a.keys(), ...b.keys(), ...compared.keys()]),
  ];
  const rows = ids.flatMap((id) => {
    const row = compared.get(id);
    const left = row?.baseline ?? a.get(id);
    const right = row?.optimized ?? b.get(id);
    const both = [left, right].map((value) => (value === undefined ? '–' : formatMetric(id, value)));
    if (left === undefined || right === undefined) return [[metricLabel(id), ...both, '', '', '']];
    return [[metricLabel(id), ...both, ...intervalCells(row, left, right, paint)]];
  });
  const figures = textTable(
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
  return withTables(figures, names, summaries);
}

/** With what else the runs have to show: tiers, models. */
const withTables = (figures: string, names: readonly string[], summaries: readonly Summary[]): string =>
  [figures, tierTable(names, summaries), modelTable(names, summaries)]
    .filter((table) => table !== undefined)
    .join('\n\n');

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
  const figures = textTable(
    [{ title: 'metric' }, { title: name, align: 'right' }],
    [...shownFigures(summary)].map(([id, value]) => [metricLabel(id), formatMetric(id, value)]),
  );
  return withTables(figures, [name], [summary]);
}
