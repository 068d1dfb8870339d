import { formatRatio, threeFigures } from '../../../../workloads/metrics/format.ts';
import { findMetric } from '../../../../workloads/metrics/registry.ts';
import type { Comparison, ComparisonRow } from '../../../contract/protocol.ts';
import { type RatioSpan, ratioAxis, ratioGlyph, ratioSpan } from '../charts/ratioGlyph.ts';
import { figure } from '../figures.ts';
import type { Footnotes } from '../footnotes.ts';
import { html, type Markup, shortened } from '../markup.ts';
import type { VariantInk } from '../variantInk.ts';

const inSentenceCase = (text = '') => text.charAt(0).toUpperCase() + text.slice(1);

/** Baseline, optimized, their ratio and its interval, metric by metric. */
export function ratios(
  comparison: Comparison,
  inks: readonly Pick<VariantInk, 'label'>[],
  notes: Footnotes,
): Markup {
  if (comparison.rows.length === 0) {
    return html`<section><h2>Baseline against optimized</h2><p class="empty">No metric could be compared: ${comparison.method === 'none' ? 'there are too few requests for an interval' : 'no ratio has an interval'}. The distributions below show what each run did.</p></section>`;
  }
  const span = ratioSpan(comparison.rows);
  const [a, b] = inks.map((ink) => shortened(ink.label, 28));
  return html`<section><h2>${inSentenceCase(a)} against ${b}</h2>
<div class="scroll"><table><thead><tr><th class="text">metric</th><th>${a}</th><th>${b}</th><th>ratio</th><th>95 % CI of the ratio</th><th class="glyph">${ratioAxis(span)}</th><th class="text">verdict</th></tr></thead>
<tbody>${comparison.rows.map((row, i) => ratioRow(row, comparison.rows[i - 1], span, notes))}</tbody></table></div>
<p class="small">Ratio: ${b} ÷ ${a}. A difference is claimed only where the interval excludes 1. ${comparison.method}</p></section>`;
}

function ratioRow(
  row: ComparisonRow,
  before: ComparisonRow | undefined,
  span: RatioSpan,
  notes: Footnotes,
): Markup {
  const [low, high] = row.ci95;
  const found = findMetric(row.metric);
  const metric = found?.metric.id ?? row.metric;
  const first = before === undefined || (findMetric(before.metric)?.metric.id ?? before.metric) !== metric;
  return html`<tr${first && html` class="first"`}><td class="key">${first ? notes.name(metric) : html`<span class="muted">${found?.metric.label ?? metric}</span>`} ${found?.statistic}${row.of !== undefined && html` <span class="muted">${row.of}</span>`}</td>
<td>${figure(row.metric, row.baseline)}</td><td>${figure(row.metric, row.optimized)}</td>
<td class="num"${Number.isFinite(row.ratio) && html` title="${row.ratio}"`}>${formatRatio(row.ratio)}</td>
<td class="num">${Number.isFinite(low) && Number.isFinite(high) ? `${bound(low)} – ${bound(high)}` : '–'}</td>
<td class="glyph">${ratioGlyph(row, span)}</td>
<td class="text">${verdictWords(row)}</td></tr>`;
}

/** Near 1 a ratio is read to the third decimal: 0.997 – 1.005 is not 0.997 – 1.00. */
const bound = (ratio: number): string =>
  ratio >= 0.1 && ratio < 10 ? ratio.toFixed(3) : threeFigures(ratio);

function verdictWords(row: ComparisonRow): Markup {
  if (row.verdict === 'no_evidence') return html`<span class="muted">no evidence</span>`;
  const lower = row.ratio < 1;
  return html`<span class="${row.verdict}">${lower ? '▼ lower' : '▲ higher'}, ${row.verdict}</span>`;
}
