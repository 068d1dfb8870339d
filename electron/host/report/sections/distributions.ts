import { withSeparators } from '../../../../workloads/metrics/format.ts';
import { metricOf } from '../../../../workloads/metrics/registry.ts';
import type { LatencyMetricId } from '../../../../workloads/run/summary.ts';
import { type CdfLine, cdfChart } from '../charts/cdfChart.ts';
import { figure } from '../figures.ts';
import type { Footnotes } from '../footnotes.ts';
import { variantKey } from '../legend.ts';
import { html, type Markup, shortened } from '../markup.ts';
import { type ReportCdfMetric, reportCdfMetrics } from '../reportInput.ts';
import type { VariantInk } from '../variantInk.ts';
import { sloOf } from './headline.ts';

/** CDFs of TTFT and TPOT over each other, and every latency metric's quantiles as a table. */
export function distributions(inks: readonly VariantInk[], notes: Footnotes): Markup {
  return html`<section><h2>Latency distributions</h2>
<div class="row">${reportCdfMetrics.map((metric) => cdfFigure(metric, inks, notes))}</div>
${latencyTable(inks, notes)}</section>`;
}

function cdfFigure(metric: ReportCdfMetric, inks: readonly VariantInk[], notes: Footnotes): Markup {
  const { label } = metricOf(metric);
  const lines = inks.flatMap((ink): readonly CdfLine[] => {
    const cdf = ink.run.cdf[metric];
    return cdf !== undefined && Array.from(cdf.values).some((v) => Number.isFinite(v)) ? [{ ink, cdf }] : [];
  });
  if (lines.length === 0) {
    return html`<p class="empty">No ${label}: no request got ${metric === 'tpot_ms' ? 'two output tokens' : 'its first token'}, or the run kept no rows of requests.</p>`;
  }
  const slo = inks[0] === undefined ? undefined : sloOf(inks[0])[metric];
  const counts = lines.map(
    ({ ink, cdf }) => `${shortened(ink.label, 24)} n = ${withSeparators(String(cdf.n))}`,
  );
  return html`<figure><figcaption><b>${label}</b>${notes.mark(metric)}: share of requests at or below, logarithmic axis. Marks: p50, p95, p99. ${counts.join(', ')}</figcaption>
<div class="legend">${lines.map(({ ink }) => variantKey(ink))}</div>
${cdfChart(metric, lines, slo)}</figure>`;
}

const latencyIds: readonly LatencyMetricId[] = [
  'ttft_ms',
  'tpot_ms',
  'itl_ms',
  'tbt10_ms',
  'e2e_ms',
  'queue_ms',
];
const statistics = ['mean', 'min', 'p50', 'p90', 'p95', 'p99', 'max'] as const;

function latencyTable(inks: readonly VariantInk[], notes: Footnotes): Markup {
  const hasSketch = inks.some((ink) =>
    latencyIds.some((id) => ink.run.summary.metrics[id]?.relative_error !== undefined),
  );
  const rows = latencyIds.flatMap((id) =>
    inks.flatMap((ink, i) => {
      const d = ink.run.summary.metrics[id];
      if (d === undefined) return [];
      const bound = d.relative_error;
      return html`<tr${i === 0 && html` class="first"`}><td class="key">${i === 0 ? notes.name(id) : html`<span class="muted">${metricOf(id).label}</span>`}</td>${inks.length > 1 && html`<td class="text">${shortened(ink.label, 28)}</td>`}<td>${withSeparators(String(d.n))}</td>${statistics.map((s) => html`<td>${figure(id, d[s])}</td>`)}${hasSketch && html`<td class="muted">${bound === undefined ? '' : `${(bound * 100).toPrecision(2)} %`}</td>`}</tr>`;
    }),
  );
  if (rows.length === 0)
    return html`<p class="empty">This run has no latency figures: no request was served.</p>`;
  return html`<div class="scroll"><table><thead><tr><th class="text">metric</th>${inks.length > 1 && html`<th class="text">variant</th>`}<th>n</th>${statistics.map((s) => html`<th>${s}</th>`)}${hasSketch && html`<th title="Bound of the relative error of percentiles that come from a sketch; the others are exact">error ≤</th>`}</tr></thead><tbody>${rows}</tbody></table></div>`;
}
