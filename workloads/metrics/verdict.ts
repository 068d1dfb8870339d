import type { RatioRow } from './comparison.ts';
import { metricLabel } from './registry.ts';

/**
 * The comparison in one sentence: the headline latency, then goodput (throughput where no SLO was given).
 * "TTFT p95 is 31 % lower (95 % CI 27–35 %); goodput unchanged."
 */
export function verdictSentence(rows: readonly RatioRow[]): string {
  const find = (...ids: string[]): RatioRow | undefined => {
    for (const id of ids) {
      const row = rows.find((r) => r.metric === id);
      if (row !== undefined) return row;
    }
    return undefined;
  };
  const latency = find(
    'ttft_ms.p95',
    'ttft_ms.p50',
    'ttft_ms.mean',
    'e2e_ms.p95',
    'e2e_ms.p50',
    'e2e_ms.mean',
  );
  const perToken = find('tpot_ms.p95', 'tpot_ms.p50');
  const service = find('goodput_rps', 'throughput_rps');
  const clauses: string[] = [];
  if (latency !== undefined) clauses.push(clause(latency));
  if (perToken?.significant === true) clauses.push(clause(perToken));
  if (service !== undefined) clauses.push(clause(service));
  return clauses.length === 0 ? 'Nothing could be compared.' : `${sentenceCase(clauses.join('; '))}.`;
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
