import { quantile } from '../metrics/percentile.ts';
import type { Fraction } from '../units.ts';
import { compassSearch } from './compassSearch.ts';
import { predict, type SiliconRow, type Terms } from './silicon.ts';

/** Rows of one model in whatever precision: what is left out together. */
export const familyOf = ({ model }: Pick<SiliconRow, 'model'>): string => model.id.replace(/-fp8$/, '');

export interface FamilyError {
  readonly rows: number;
  /** Median |predicted ÷ measured − 1|. */
  readonly ttft: Fraction;
  readonly tpot: Fraction;
}

/** Errors of rows, each predicted by one set of terms or by a function of the row. */
export function errors(
  rows: readonly SiliconRow[],
  terms: Terms | ((row: SiliconRow) => Terms),
): FamilyError {
  const both = rows.map((row) => ({
    row,
    at: predict(row, typeof terms === 'function' ? terms(row) : terms),
  }));
  const median = (metric: 'ttft' | 'tpot'): number =>
    quantile(
      both.map(({ row, at }) => Math.abs(at[metric] / row[metric] - 1)),
      0.5,
    );
  return { rows: rows.length, ttft: median('ttft'), tpot: median('tpot') };
}

/** In a fit, a row that is missed by more than a factor of e is an outlier like any other. */
const worstMiss = 1;
/** Rows of each family that the fit looks at: enough to see every load, few enough for minutes. */
const rowsPerFamily = 26;

/**
 * Rows that a fit looks at: some of each family, those that are slow to simulate (8,192 output tokens, 512 clients) left out. Every
 * family counts alike, so that the one with most rows does not decide.
 */
export function rowsToFit(rows: readonly SiliconRow[], without?: string): readonly SiliconRow[] {
  const families = new Map<string, SiliconRow[]>();
  for (const row of rows) {
    const family = familyOf(row);
    if (family === without || row.clients > 128 || row.outputTokens > 8000) continue;
    families.set(family, [...(families.get(family) ?? []), row]);
  }
  return [...families.values()].flatMap((own) => {
    const every = Math.max(1, Math.round(own.length / rowsPerFamily));
    return own.filter((_, i) => i % every === 0);
  });
}

const bounds = [
  { name: 'compute', low: 0.3, high: 1, start: 0.6 },
  { name: 'memory', low: 0.5, high: 1, start: 0.85 },
  { name: 'expert', low: 0.08, high: 0.8, start: 0.25 },
  { name: 'kernel', low: 0.5, high: 6, start: 3 },
  { name: 'reduce', low: 1, high: 20, start: 8 },
  { name: 'gap', low: 0, high: 1500, start: 200 },
  { name: 'vllm pass', low: 0, high: 4000, start: 1000 },
  { name: 'vllm sequence', low: 0, high: 100, start: 35 },
  { name: 'sglang pass', low: 0, high: 4000, start: 500 },
  { name: 'sglang sequence', low: 0, high: 100, start: 10 },
  { name: 'vllm request', low: 0, high: 40, start: 10 },
  { name: 'sglang request', low: 0, high: 40, start: 2 },
  { name: 'token', low: 0, high: 20, start: 2 },
] as const;

const termsOf = ([
  compute = 1,
  memory = 1,
  expert = 1,
  kernelUs = 0,
  reduceUs = 0,
  gapUs = 0,
  vllmPass = 0,
  vllmSequence = 0,
  sglangPass = 0,
  sglangSequence = 0,
  vllmRequest = 0,
  sglangRequest = 0,
  requestUsPerToken = 0,
]: readonly number[]): Terms => ({
  compute,
  memory,
  expert,
  kernelUs,
  reduceUs,
  gapUs,
  passUs: { vllm: vllmPass, sglang: sglangPass },
  sequenceUs: { vllm: vllmSequence, sglang: sglangSequence },
  requestMs: { vllm: vllmRequest, sglang: sglangRequest },
  requestUsPerToken,
});

/** Fits the shared terms, leaving out all rows of one model: the sum of |log(predicted ÷ measured)| of both metrics, TPOT half as much again. */
export function fitSilicon(rows: readonly SiliconRow[], most: number, without?: string): Terms {
  const own = rowsToFit(rows, without);
  const sizes = new Map<string, number>();
  for (const row of own) sizes.set(familyOf(row), (sizes.get(familyOf(row)) ?? 0) + 1);
  const miss = (predicted: number, measured: number): number =>
    Math.min(worstMiss, Math.abs(Math.log(predicted / measured)));
  const { point } = compassSearch(
    (candidate) => {
      const terms = termsOf(candidate);
      let sum = 0;
      for (const row of own) {
        const at = predict(row, terms);
        sum += (miss(at.ttft, row.ttft) + 1.5 * miss(at.tpot, row.tpot)) / (sizes.get(familyOf(row)) ?? 1);
      }
      return sum;
    },
    bounds,
    most,
  );
  return termsOf(point);
}
