import { fleetFigures } from '../../../../workloads/metrics/fleetMetrics.ts';
import { withSeparators } from '../../../../workloads/metrics/format.ts';
import { parallelMetrics } from '../../../../workloads/metrics/parallelMetrics.ts';
import { summaryFigures } from '../../../../workloads/metrics/summaryFigures.ts';
import { tierColumns, tierFigure, tierObjectives } from '../../../../workloads/metrics/tierFigures.ts';
import type { Summary } from '../../../../workloads/run/summary.ts';
import { figure } from '../figures.ts';
import type { Footnotes } from '../footnotes.ts';
import { type Content, html, type Markup, shortened } from '../markup.ts';
import type { VariantInk } from '../variantInk.ts';

const serviceMetrics = [
  'goodput_rps',
  'good_share',
  'throughput_rps',
  'output_tokens_per_s',
  'prompt_tokens_per_s',
  'preemptions',
  'migrations',
  'refusals',
  'wasted_prefills',
  'adequate_share',
  'oversized_share',
  'gpu_seconds_per_request',
  'prefill_load_std',
  'decode_load_std',
  'prefix_hit_rate',
  'evictions',
  'transfers',
  'transfer_bytes',
  ...fleetFigures,
  ...parallelMetrics.map(({ id }) => id),
];

/** The outcomes of all requests and their sum, and the rates of service and cache. */
export function accounting(inks: readonly VariantInk[], notes: Footnotes): Markup {
  const count = (n: number | undefined) => (n === undefined ? '0' : withSeparators(String(n)));
  const outcome = (name: string, id: keyof Summary['requests']) =>
    html`<tr><td class="key">${name}</td>${inks.map((ink) => html`<td>${count(ink.run.summary.requests[id])}</td>`)}</tr>`;
  const service = serviceMetrics.filter((id) =>
    inks.some((ink) => summaryFigures(ink.run.summary).get(id) !== undefined),
  );
  const head = html`<thead><tr><th class="text"></th>${inks.map((ink) => html`<th>${shortened(ink.label, 28)}</th>`)}</tr></thead>`;
  return html`<section><h2>Requests and service</h2><div class="row">
<div><h3>Where the requests went</h3><table>${head}<tbody>${outcome('arrived', 'arrived')}${outcome('  admitted', 'admitted')}${outcome('  rejected', 'rejected')}${outcome('  completed', 'completed')}${outcome('  unfinished', 'unfinished')}
<tr><td class="key">accounted for</td>${inks.map((ink) => html`<td>${sums(ink.run.summary.requests)}</td>`)}</tr></tbody></table>
<p class="small">arrived = admitted + rejected; admitted = completed + unfinished.</p></div>
<div><h3>Service and cache</h3><table>${head}<tbody>${service.map((id) => html`<tr><td class="key">${notes.name(id)}</td>${inks.map((ink) => html`<td>${figure(id, summaryFigures(ink.run.summary).get(id))}</td>`)}</tr>`)}</tbody></table></div>
</div>${tierRows(inks, notes)}</section>`;
}

/** How each tier fared; nothing where the runs know no tiers. */
function tierRows(inks: readonly VariantInk[], notes: Footnotes): Content {
  const rows = inks.flatMap((ink) => (ink.run.summary.admission?.tiers ?? []).map((tier) => ({ ink, tier })));
  const names = [...new Set(rows.map(({ tier }) => tier.name))];
  if (names.length < 2) return undefined;
  const ordered = names.flatMap((name) => rows.filter(({ tier }) => tier.name === name));
  return html`<h3>Service tiers</h3><table><thead><tr><th class="text">tier</th><th class="text"></th>${tierColumns.map((column) => html`<th>${notes.name(column)}</th>`)}</tr></thead>
<tbody>${ordered.map(({ ink, tier }) => html`<tr><td class="key" title="${tierObjectives(tier)}">${tier.name}</td><td class="key">${shortened(ink.label, 28)}</td>${tierColumns.map((column) => html`<td>${figure(column, tierFigure(tier, column))}</td>`)}</tr>`)}</tbody></table>`;
}

function sums(r: Summary['requests']): Markup {
  const lost = r.arrived - r.admitted - r.rejected;
  const open = r.admitted - r.completed - r.unfinished;
  if (lost === 0 && open === 0) return html`<span class="better">✓ all</span>`;
  return html`<span class="worse">✗ off by ${lost !== 0 ? lost : open}</span>`;
}
