import { findTarget } from '../../../catalog/catalog.ts';
import type { LabScenario } from '../../../catalog/labScenarios.ts';
import { verifyRequests } from '../../../catalog/verifyRequests.ts';
import { compareRequests, type RatioRow } from '../../../metrics/comparison.ts';
import { InputError } from '../../../run/inputError.ts';
import type { Summary } from '../../../run/summary.ts';
import type { ColumnData, EventSink } from '../../../run/tables.ts';
import { generate } from '../../../traffic/generate.ts';
import { simEngine } from '../engine.ts';

/** The lab's two scenarios at its arrival rates: each variant against round robin, paired by request over several seeds. */
export interface LabRow {
  readonly scenario: LabScenario;
  readonly arrivalsPerTick: number;
  readonly variant: string;
  readonly summary: Summary;
  /** Against the baseline; absent for the baseline itself. */
  readonly ttftP95?: RatioRow;
  readonly goodput?: RatioRow;
  readonly verification?: string;
}

interface RequestsTable {
  readonly summary: Summary;
  readonly columns: Readonly<Record<string, number[] | string[]>>;
  readonly rows: number;
}

/** Keeps the requests table of a run as plain columns. */
function runVariant(
  scenario: LabScenario,
  arrivalsPerTick: number,
  variant: string,
  ticks: number,
  seeds: number,
): RequestsTable {
  const target = findTarget('labs/dynamic_router:dynamic_router');
  if (target === undefined) throw new Error('no dynamic router in the catalogue');
  const spec = target.spec({
    variant,
    engine: 'sim',
    parameters: { scenario, arrivals_per_tick: arrivalsPerTick, ticks },
    seed: 0,
    iterations: seeds,
  });
  const numbers: Record<string, number[]> = {};
  const texts: Record<string, string[]> = {};
  let rows = 0;
  const sink: EventSink = {
    batch(batch) {
      if (batch.schema.name !== 'requests') return;
      batch.schema.columns.forEach((column, i) => {
        const data: ColumnData | undefined = batch.data[i];
        for (let row = 0; row < batch.rows; row++) {
          const value = data?.[row];
          if (typeof value === 'string') {
            texts[column.name] ??= [];
            texts[column.name]?.push(value);
          } else {
            numbers[column.name] ??= [];
            numbers[column.name]?.push(value ?? Number.NaN);
          }
        }
      });
      rows += batch.rows;
    },
    progress() {},
    log() {},
  };
  const { traffic } = spec;
  if (traffic.kind === 'trace') throw new InputError('the lab draws its traffic');
  const run = simEngine.open(spec, (replicate) => generate(traffic, replicate), sink);
  while (!run.step(Number.POSITIVE_INFINITY, 1_000_000));
  return { summary: run.finish(), columns: { ...numbers, ...texts }, rows };
}

const numbersOf = (table: RequestsTable, name: string): number[] =>
  (table.columns[name] ?? []).map((value) => Number(value));

const comparable = (table: RequestsTable) => ({
  rows: table.rows,
  iteration: numbersOf(table, 'iteration'),
  request: numbersOf(table, 'request'),
  arrival_ns: numbersOf(table, 'arrival_ns'),
  finish_ns: numbersOf(table, 'finish_ns'),
  ttft_ms: numbersOf(table, 'ttft_ms'),
  tpot_ms: numbersOf(table, 'tpot_ms'),
  e2e_ms: numbersOf(table, 'e2e_ms'),
  queue_ms: numbersOf(table, 'queue_ms'),
  good: numbersOf(table, 'good'),
  prompt_tokens: numbersOf(table, 'prompt_tokens'),
  output_tokens: numbersOf(table, 'output_tokens'),
  status: (table.columns['status'] ?? []).map(String),
});

export function labTable(ticks: number, seeds: number): LabRow[] {
  const rows: LabRow[] = [];
  for (const scenario of ['flagship_vs_mid', 'mig_slices'] as const) {
    for (const arrivalsPerTick of [0.3, 0.6, 0.9, 1.2]) {
      const baseline = runVariant(scenario, arrivalsPerTick, 'baseline', ticks, seeds);
      rows.push({ scenario, arrivalsPerTick, variant: 'baseline', summary: baseline.summary });
      const against = comparable(baseline);
      for (const variant of ['optimized', 'as_published']) {
        const other = runVariant(scenario, arrivalsPerTick, variant, ticks, seeds);
        const columns = comparable(other);
        const comparison = compareRequests(against, columns, { seed: 1 });
        const ttftP95 = comparison.rows.find((row) => row.metric === 'ttft_ms.p95');
        const goodput = comparison.rows.find((row) => row.metric === 'goodput_rps');
        rows.push({
          scenario,
          arrivalsPerTick,
          variant,
          summary: other.summary,
          ...(ttftP95 === undefined ? {} : { ttftP95 }),
          ...(goodput === undefined ? {} : { goodput }),
          verification: verifyRequests(against, columns).status,
        });
      }
    }
  }
  return rows;
}

const ratio = (row: RatioRow | undefined): string =>
  row === undefined
    ? ''
    : `${row.ratio.toFixed(3)} [${row.ci95[0].toFixed(3)}, ${row.ci95[1].toFixed(3)}]${row.significant ? '' : ' ○'}`;

/** The table as Markdown; ○ marks an interval that holds 1. */
export function labMarkdown(rows: readonly LabRow[]): string {
  const lines = [
    '| scenario | λ | variant | requests | good | TTFT p50 | p95 | TPOT p95 ms | TTFT p95 ratio [95 %] | goodput ratio [95 %] |',
    '|---|---|---|---|---|---|---|---|---|---|',
  ];
  for (const { scenario, arrivalsPerTick, variant, summary, ttftP95, goodput } of rows) {
    const ttft = summary.metrics.ttft_ms;
    lines.push(
      `| ${scenario} | ${arrivalsPerTick} | ${variant} | ${summary.requests.completed} | ${summary.good_requests ?? 0} | ${ttft?.p50.toFixed(0)} | ${ttft?.p95.toFixed(0)} | ${summary.metrics.tpot_ms?.p95.toFixed(2)} | ${ratio(ttftP95)} | ${ratio(goodput)} |`,
    );
  }
  return lines.join('\n');
}
