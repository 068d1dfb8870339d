import { threeFigures } from '../../../../workloads/metrics/format.ts';
import type { ComparisonRow } from '../../../contract/protocol.ts';
import { html, type Markup } from '../markup.ts';

const width = 190;
const height = 16;
const edge = 10;

/** The logarithmic span that all rows of a table share; 1 is in its middle. */
export interface RatioSpan {
  /** The right end; the left end is 1 / this. */
  readonly factor: number;
}

/** A factor that holds most intervals: one absurd row must not press all others together. Those beyond it get arrow heads. */
export function ratioSpan(rows: readonly ComparisonRow[]): RatioSpan {
  const reaches = rows
    .flatMap(({ ci95: [low, high] }) => [low, high])
    .filter((v) => Number.isFinite(v) && v > 0)
    .map((v) => Math.abs(Math.log2(v)))
    .sort((x, y) => x - y);
  const most = reaches[Math.min(reaches.length - 1, Math.floor(reaches.length * 0.85))] ?? 0;
  const factors = [1.05, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100];
  return { factor: factors.find((f) => Math.log2(f) >= most) ?? 100 };
}

const place = (value: number, { factor }: RatioSpan): number => {
  const share = Math.log(value) / Math.log(factor);
  return width / 2 + Math.max(-1, Math.min(1, share)) * (width / 2 - edge);
};

/** `0.5×  1×  2×` above the glyphs of a column. */
export function ratioAxis(span: RatioSpan): Markup {
  const tick = (value: number, anchor: string) =>
    html`<text x="${place(value, span)}" y="12" text-anchor="${anchor}" font-size="11" fill="var(--text-3)">${threeFigures(value).replace(/\.?0+$/, '')}×</text>`;
  return html`<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${tick(1 / span.factor, 'middle')}${tick(1, 'middle')}${tick(span.factor, 'middle')}</svg>`;
}

const colours = { better: 'var(--good)', worse: 'var(--fault)', no_evidence: 'var(--text-3)' } as const;

/** The interval as a line, the ratio as a dot, on the line of 1; an arrow head where the interval leaves the span. */
export function ratioGlyph(row: ComparisonRow, span: RatioSpan): Markup {
  const [low, high] = row.ci95;
  const one = html`<path d="M${width / 2} 0V${height}" stroke="var(--line-strong)"/>`;
  const drawable = [low, high, row.ratio].every((v) => Number.isFinite(v) && v > 0);
  if (!drawable) return html`<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${one}</svg>`;
  const [from, to, dot] = [place(low, span), place(high, span), place(row.ratio, span)].map(
    (x) => Math.round(x * 10) / 10,
  );
  const colour = colours[row.verdict];
  const middle = height / 2;
  const arrow = (x: number, direction: 1 | -1) =>
    html`<path d="M${x + direction * 7} ${middle}L${x} ${middle - 4}V${middle + 4}Z" fill="${colour}"/>`;
  const hollow = row.verdict === 'no_evidence';
  return html`<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">${one}<path d="M${from} ${middle}H${to}M${from} ${middle - 4}V${middle + 4}M${to} ${middle - 4}V${middle + 4}" stroke="${colour}" stroke-width="1.6" fill="none"/>${low < 1 / span.factor && arrow(from ?? 0, -1)}${high > span.factor && arrow(to ?? 0, 1)}<circle cx="${dot}" cy="${middle}" r="3.6" fill="${hollow ? 'var(--bg)' : colour}" stroke="${colour}" stroke-width="1.6"/></svg>`;
}
