import type { RatioRow } from './comparison.ts';
import { metricLabel } from './registry.ts';

/** What the verdict knows beside the rows. */
export interface VerdictContext {
  /** Metric ids that the target's lesson is about, `ttft_ms` for any statistic of it. */
  readonly claims?: readonly string[];
  /** Sides whose queue still grew at the end. */
  readonly overloaded?: readonly {
    readonly side: string;
    readonly arrivedRps: number;
    readonly servedRps: number;
  }[];
}

const latencies = ['ttft_ms', 'tpot_ms', 'e2e_ms', 'queue_ms'] as const;
const headlines = ['p95', 'p50', 'mean', 'p90', 'p99'] as const;

/**
 * The comparison in a sentence: what the target is about first, then every latency that changed, by its p95 or, where that did not,
 * by the statistic that changed most, then goodput (throughput where no SLO was given).
 * "TTFT p95 is 31 % lower (95 % CI 27–35 %); goodput unchanged."
 *
 * Where a side is overloaded its latencies grow with the length of the run: that is said first, and no latency is compared.
 */
export function verdictSentence(rows: readonly RatioRow[], context: VerdictContext = {}): string {
  const { claims = [], overloaded = [] } = context;
  const chosen: RatioRow[] = [];
  const add = (row: RatioRow | undefined): void => {
    if (row !== undefined && !chosen.includes(row)) chosen.push(row);
  };
  const service =
    rows.find(({ metric }) => metric === 'goodput_rps') ??
    rows.find(({ metric }) => metric === 'throughput_rps');
  if (overloaded.length === 0) {
    for (const claim of claims) add(rowOf(rows, claim, true));
    for (const latency of latencies) {
      // Queue time is part of TTFT, and E2E of what its parts show.
      const isPart = latency === 'queue_ms' || latency === 'e2e_ms';
      if (isPart && chosen.some(({ significant }) => significant)) continue;
      const row = rowOf(rows, latency, false);
      if (row !== undefined) add(row);
    }
    if (!chosen.some(({ metric }) => metric.startsWith('ttft_ms') || metric.startsWith('e2e_ms'))) {
      add(rowOf(rows, 'ttft_ms', true) ?? rowOf(rows, 'e2e_ms', true));
    }
    // Significant effects lead; a claim keeps its place among its like.
    chosen.sort((a, b) => Number(b.significant) - Number(a.significant));
  }
  add(service);
  const clauses = chosen.map(clause);
  const sentence =
    clauses.length === 0 ? 'Nothing could be compared.' : `${sentenceCase(clauses.join('; '))}.`;
  return `${overloadSentence(overloaded)}${sentence}`;
}

/** The statistic to show of a metric: its p95, or the significant one that changed most; with `always`, an insignificant one too. */
function rowOf(rows: readonly RatioRow[], metric: string, always: boolean): RatioRow | undefined {
  const exact = rows.find((row) => row.metric === metric);
  if (exact !== undefined) return exact;
  const own = rows.filter((row) => row.metric.startsWith(`${metric}.`));
  const headline = own.find((row) => row.metric === `${metric}.p95`);
  if (headline?.significant === true) return headline;
  const size = ({ ratio }: RatioRow): number => Math.abs(Math.log(ratio));
  const [most] = own.filter(({ significant }) => significant).sort((a, b) => size(b) - size(a));
  if (most !== undefined) return most;
  if (!always) return undefined;
  for (const statistic of headlines) {
    const row = own.find((each) => each.metric === `${metric}.${statistic}`);
    if (row !== undefined) return row;
  }
  return undefined;
}

const perSecond = (rate: number): string =>
  rate >= 99.5 ? rate.toFixed(0) : rate.toFixed(rate >= 9.95 ? 1 : 2);

function overloadSentence(overloaded: NonNullable<VerdictContext['overloaded']>): string {
  if (overloaded.length === 0) return '';
  const sides = overloaded.map(
    ({ side, arrivedRps, servedRps }) =>
      `${side}: ${perSecond(arrivedRps)} requests/s arrive, ${perSecond(servedRps)} are served`,
  );
  return `Overloaded: ${sides.join('; ')}. The queue still grows when the run ends, so latencies say how long it was and are not compared. `;
}

function clause(row: RatioRow): string {
  const label = metricLabel(row.metric);
  // Acronyms stay as they are; Goodput is lower case inside a sentence.
  const name = /^[A-Z]{2}/.test(label) ? label : label.charAt(0).toLowerCase() + label.slice(1);
  const [low, high] = row.ci95;
  if (!row.significant) {
    if (low > 0.99 && high < 1.01) return `${name} unchanged`;
    return `${name}: no evidence of a difference (95 % CI ${signed(low)} to ${signed(high)})`;
  }
  const worse = row.verdict === 'worse' ? ', which is worse' : '';
  if (row.ratio >= 2) {
    return `${name} is ${times(row.ratio)} times as high (95 % CI ${times(low)}–${times(high)} times)${worse}`;
  }
  const [near, far] = row.ratio < 1 ? [1 - high, 1 - low] : [low - 1, high - 1];
  const direction = row.ratio < 1 ? 'lower' : 'higher';
  const interval = near >= 0.9995 ? 'all above 99.9 %' : `${percent(near)}–${percent(far)} %`;
  return `${name} is ${percent(Math.abs(row.ratio - 1))} % ${direction} (95 % CI ${interval})${worse}`;
}

/** 31, 3.4, 0.25; 99.9 is not 100: something is left. */
function percent(share: number): string {
  const value = Math.abs(share) * 100;
  if (value >= 99.5 && value < 100) return value >= 99.95 ? 'more than 99.9' : value.toFixed(1);
  if (value >= 9.95) return value.toFixed(0);
  return value >= 0.995 ? value.toFixed(1) : value.toFixed(2);
}

const times = (ratio: number): string => (ratio >= 9.95 ? ratio.toFixed(0) : ratio.toFixed(1));
const signed = (ratio: number): string =>
  ratio < 1 ? `−${percent(1 - ratio)} %` : `+${percent(ratio - 1)} %`;
const sentenceCase = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
