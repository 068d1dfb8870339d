import {
  formatMetric,
  formatRatio,
  metricParts,
  withSeparators,
} from '../../../../workloads/metrics/format.ts';
import { metricLabel } from '../../../../workloads/metrics/registry.ts';
import { summaryFigures } from '../../../../workloads/metrics/summaryFigures.ts';
import type { ComparisonRow } from '../../../contract/protocol.ts';
import { figure } from '../figures.ts';
import type { Footnotes } from '../footnotes.ts';
import { variantKey } from '../legend.ts';
import { pathIn, textIn } from '../manifest.ts';
import { type Content, html, type Markup, shortened } from '../markup.ts';
import type { ReportInput } from '../reportInput.ts';
import type { VariantInk } from '../variantInk.ts';

/** Title, badges, the verdict and everything a reader must know before the first number. */
export function headline(input: ReportInput, inks: readonly VariantInk[], notes: Footnotes): Markup {
  const { comparison } = input;
  return html`<header>
<p class="eyebrow">Dyno ${input.runs.length === 2 ? 'A/B report' : 'run report'} · ${instant(input.made)}</p>
<h1>${input.title}</h1>
<div class="badges">${badges(inks)}</div>
<p class="verdict">${unbroken(comparison?.verdict ?? singleVerdict(inks, input))}</p>
${(comparison?.warnings ?? []).map((warning) => html`<p class="note"><b>Note</b> ${warning}</p>`)}
${inks.map(unfinished)}
${comparison?.verification.status === 'failed' && html`<p class="note fault"><b>Verification failed</b> ${comparison.verification.method} ${comparison.verification.detail}</p>`}
<div class="figures">${tiles(input, inks, notes)}</div>
${facts(inks)}
</header>`;
}

/** A number and its % stay on one line. */
const unbroken = (sentence: string): string => sentence.replace(/(\d) %/g, '$1\u00a0%');

/** `2026-11-21 10:12 UTC`; the text as it is where it is no instant. */
export function instant(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime()) ? iso : `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function badges(inks: readonly VariantInk[]): Content {
  const simulated = inks.filter((ink) => ink.run.summary.simulated);
  const engines = [...new Set(inks.map((ink) => ink.run.summary.engine))];
  const which = simulated.length === inks.length ? '' : `: ${simulated.map((i) => i.label).join(', ')} only`;
  return [
    simulated.length > 0 &&
      html`<span class="badge simulated" title="Every figure was modelled by the simulator; none was measured">simulated${which}</span>`,
    ...engines.map((engine) => html`<span class="badge">engine ${engine}</span>`),
    ...[...new Set(inks.map((ink) => ink.run.info.target))].map(
      (target) => html`<span class="badge"><code>${target}</code></span>`,
    ),
  ];
}

function singleVerdict([ink]: readonly VariantInk[], input: ReportInput): string {
  if (ink === undefined) return '';
  if (input.runs.length === 2) return 'The two runs were not compared.';
  const { requests, metrics, goodput_rps } = ink.run.summary;
  const clauses = [
    `${withSeparators(String(requests.completed))} of ${withSeparators(String(requests.arrived))} requests completed`,
  ];
  if (metrics.ttft_ms !== undefined) clauses.push(`TTFT p95 ${formatMetric('ttft_ms', metrics.ttft_ms.p95)}`);
  if (metrics.tpot_ms !== undefined) clauses.push(`TPOT p95 ${formatMetric('tpot_ms', metrics.tpot_ms.p95)}`);
  if (goodput_rps !== undefined) clauses.push(`goodput ${formatMetric('goodput_rps', goodput_rps)}`);
  return `${clauses.join('; ')}.`;
}

function unfinished(ink: VariantInk): Content {
  const { status } = ink.run.info;
  if (status === 'done') return undefined;
  return html`<p class="note fault"><b>${ink.label}: ${status}</b> This run did not come to its end; its figures cover what was done until then.</p>`;
}

const tileMetrics = ['ttft_ms.p95', 'tpot_ms.p95', 'goodput_rps', 'throughput_rps', 'rejected'];

function tiles(input: ReportInput, inks: readonly VariantInk[], notes: Footnotes): Content {
  const [first, second] = inks;
  if (first === undefined) return undefined;
  const shown = tileMetrics
    .filter((id) => inks.some((ink) => summaryFigures(ink.run.summary).get(id) !== undefined))
    .slice(0, 4);
  return shown.map((id) => {
    const now = summaryFigures((second ?? first).run.summary).get(id);
    const was = second === undefined ? undefined : summaryFigures(first.run.summary).get(id);
    const row = input.comparison?.rows.find((r) => r.metric === id);
    const { number, unit } = metricParts(id, now ?? Number.NaN);
    return html`<div class="tile"><div class="name">${metricLabel(id)}${notes.mark(id)}${second !== undefined && html` <span class="muted">${shortened(second.label, 24)}</span>`}</div>
<div class="value">${number}${unit !== '' && html`<span class="unit">\u202f${unit}</span>`}</div>
${second !== undefined && html`<div class="was">${shortened(first.label, 24)} ${figure(id, was)}</div>`}
${row !== undefined && html`<div class="change">${changeWords(row)}</div>`}</div>`;
  });
}

/** `▼ 0.694×, better`. */
export function changeWords(row: ComparisonRow): Markup {
  const ratio = formatRatio(row.ratio);
  switch (row.verdict) {
    case 'no_evidence':
      return html`<span class="muted">${ratio} · no evidence of a difference</span>`;
    case 'better':
    case 'worse':
      return html`<span class="${row.verdict}">${row.ratio < 1 ? '▼' : '▲'} ${ratio}, ${row.verdict}</span>`;
    default: {
      const never: never = row.verdict;
      return never;
    }
  }
}

function facts(inks: readonly VariantInk[]): Markup {
  const [first] = inks;
  if (first === undefined) return html``;
  const { traffic, seed, iterations } = first.run.summary;
  const spec = pathIn(first.run.manifest, 'spec');
  const slo = Object.entries(sloOf(first)).map(
    ([id, limit]) => `${metricLabel(id)} ≤ ${formatMetric(id, limit)}`,
  );
  const model = textIn(spec, 'cluster.model');
  const count = (n: number) => withSeparators(String(n));
  const rows: readonly (readonly [string, Content])[] = [
    [inks.length === 1 ? 'variant' : 'variants', inks.map(variantKey)],
    [
      'traffic',
      `${trafficName(first)}: ${count(traffic.requests)} requests over ${durationText(traffic.duration_s)}, ${count(traffic.prompt_tokens)} prompt and ${count(traffic.output_tokens)} output tokens`,
    ],
    ['cluster', `${clusterWords(inks)}${model === undefined ? '' : `, ${model}`}`],
    ['SLOs', slo.length === 0 ? 'none given: there is no goodput' : slo.join(', ')],
    ['seed', `${seed}, ${iterations} iteration${iterations === 1 ? '' : 's'}`],
  ];
  return html`<dl class="facts">${rows.map(([term, what]) => html`<dt>${term}</dt><dd>${what}</dd>`)}</dl>`;
}

/** A trace is named by its file; where it lies on whose disk does not matter to a reader. */
function trafficName({ run }: VariantInk): string {
  const { name } = run.summary.traffic;
  return textIn(run.manifest, 'spec.traffic.kind') === 'trace' ? (name.split(/[\\/]/).at(-1) ?? name) : name;
}

/** `8 instances (8 mixed)`; both where the variants use them differently. */
function clusterWords(inks: readonly VariantInk[]): string {
  const words = inks.map(({ run }) => {
    const instances = run.summary.per_instance;
    const pools = new Map<string, number>();
    for (const { pool } of instances) pools.set(pool, (pools.get(pool) ?? 0) + 1);
    const parts = [...pools].map(([pool, n]) => `${n} ${pool}`).join(', ');
    const count = `${withSeparators(String(instances.length))} instance${instances.length === 1 ? '' : 's'}`;
    return parts === '' ? count : `${count} (${parts})`;
  });
  if (words.every((text) => text === words[0])) return words[0] ?? '';
  return inks.map((ink, i) => `${ink.label}: ${words[i]}`).join('; ');
}

/** `42.0 s`, `58 min`, `2 h 5 min`. */
export function durationText(seconds: number): string {
  if (!(seconds >= 180)) return formatMetric('e2e_ms', seconds * 1000);
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
}

/** The SLOs of a run, in the metric ids that they limit. */
export function sloOf(ink: VariantInk): Readonly<Record<string, number>> {
  const slo: Record<string, number> = {};
  for (const id of ['ttft_ms', 'tpot_ms', 'e2e_ms']) {
    const limit = pathIn(ink.run.manifest, `spec.slo.${id}`);
    if (typeof limit === 'number' && Number.isFinite(limit)) slo[id] = limit;
  }
  return slo;
}
