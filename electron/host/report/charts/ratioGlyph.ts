import { threeFigures } from '../../../../workloads/metrics/format.ts';
import type { ComparisonRow } from '../../../contract/protocol.ts';
import { html, type Markup } from '../markup.ts';

const width = 190;
const height = 16;
const edge = 12;

/** The logarithmic span that all rows of a table share: low ≤ 1 ≤ high. */
export interface RatioSpan {
  readonly low: number;
  readonly high: number;
}

const steps = [1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100];

/**
 * A span that holds three of four intervals whole: a few extreme rows must not press all others together. Those get an
 * arrow head where they leave it.
 */
export function ratioSpan(rows: readonly ComparisonRow[]): RatioSpan {
  const reach = (ends: readonly number[]): number => {
    const factors = ends.filter((f) => Number.isFinite(f) && f >= 1).sort((a, b) => a - b);
    const most = factors[Math.ceil(factors.length * 0.75) - 1] ?? 1;
    return steps.find((step) => step >= most) ?? 100;
  };
  const low = 1 / reach(rows.map((row) => 1 / Math.min(1, row.ci95[0])));
  const high = reach(rows.map((row) => Math.max(1, row.ci95[1])));
  return { low, high };
}

const place = (value: number, { low, high }: RatioSpan): number => {
  const share = Math.log(value / low) / Math.log(high / low);
  return Math.round((edge + Math.max(0, Math.min(1, share)) * (width - 2 * edge)) * 10) / 10;
};

/** `0.5×  1×  2×` above the glyphs of a column; an end that stands too near to 1 has no label. */
export function ratioAxis(span: RatioSpan): Markup {
  const one = place(1, span);
  const far = [span.low, span.high].filter((end) => Math.abs(place(end, span) - one) > 34);
  const tick = (value: number) => {
    const text = threeFigures(value);
    return html`<text x="${place(value, span)}" y="12" text-anchor="middle" font-size="11" fill="var(--text-3)">${text.includes('.') ? text.replace(/\.?0+$/, '') : text}×</text>`;
  };
  return html`<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${[1, ...far].map(tick)}</svg>`;
}

const colours = { better: 'var(--good)', worse: 'var(--fault)', no_evidence: 'var(--text-3)' } as const;

/** The interval as a line, the ratio as a dot, beside the line of 1; an arrow head where the interval leaves the span. */
export function ratioGlyph(row: ComparisonRow, span: RatioSpan): Markup {
  const [low, high] = row.ci95;
  const one = html`<path d="M${place(1, span)} 0V${height}" stroke="var(--line-strong)"/>`;
  const drawable = [low, high, row.ratio].every((v) => Number.isFinite(v) && v > 0);
  if (!drawable) return html`<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${one}</svg>`;
  const colour = colours[row.verdict];
  const middle = height / 2;
  const [from, to] = [place(low, span), place(high, span)];
  const end = (x: number, isBeyond: boolean, outwards: 1 | -1) =>
    isBeyond
      ? html`<path d="M${x + outwards * 7} ${middle}L${x} ${middle - 4}V${middle + 4}Z" fill="${colour}"/>`
      : html`<path d="M${x} ${middle - 4}V${middle + 4}" stroke="${colour}" stroke-width="1.6"/>`;
  const isInside = row.ratio >= span.low && row.ratio <= span.high;
  const fill = row.verdict === 'no_evidence' ? 'var(--bg)' : colour;
  return html`<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${one}<path d="M${from} ${middle}H${to}" stroke="${colour}" stroke-width="1.6"/>${high >= span.low && end(from, low < span.low, -1)}${low <= span.high && end(to, high > span.high, 1)}${high < span.low && end(from, true, -1)}${low > span.high && end(to, true, 1)}${isInside && html`<circle cx="${place(row.ratio, span)}" cy="${middle}" r="3.6" fill="${fill}" stroke="${colour}" stroke-width="1.6"/>`}</svg>`;
}
