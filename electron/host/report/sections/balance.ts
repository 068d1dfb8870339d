import { formatMetric, threeFigures, withSeparators } from '../../../../workloads/metrics/format.ts';
import type { InstanceSummary } from '../../../../workloads/run/summary.ts';
import { balanceChart } from '../charts/balanceChart.ts';
import type { Footnotes } from '../footnotes.ts';
import { boxKey } from '../legend.ts';
import { html, type Markup, shortened } from '../markup.ts';
import type { VariantInk } from '../variantInk.ts';

interface Quantity {
  readonly title: string;
  /** For the axis. */
  readonly metric: string;
  of(instance: InstanceSummary): number;
}

const quantities: readonly Quantity[] = [
  { title: 'Prompts computed', metric: 'completed', of: (i) => i.prefills },
  { title: 'Requests finished', metric: 'completed', of: (i) => i.completed },
  { title: 'Busy', metric: 'busy', of: (i) => i.busy_fraction ?? Number.NaN },
];

/** How evenly the work lay on the instances. */
export function balance(inks: readonly VariantInk[], notes: Footnotes): Markup {
  const names = instanceNames(inks);
  if (names.length === 0) {
    return html`<section><h2>Balance over the instances</h2><p class="empty">The summary names no instances.</p></section>`;
  }
  const imbalance = inks.map(({ run, label }) => {
    const { request_imbalance, token_imbalance } = run.summary.balance;
    return `${shortened(label, 28)} ${threeFigures(request_imbalance)} by requests, ${threeFigures(token_imbalance)} by tokens`;
  });
  return html`<section><h2>Balance over the instances</h2>
<p>Busiest instance ÷ mean (1 = even)${notes.mark('request_imbalance')}${notes.mark('token_imbalance')}: ${imbalance.join('; ')}.</p>
${names.length > 1 && charts(names, inks, notes)}
<details${names.length <= 16 && html` open`}><summary>Figures of each instance</summary>${table(inks)}</details></section>`;
}

function instanceNames(inks: readonly VariantInk[]): readonly string[] {
  const most = inks.reduce<readonly InstanceSummary[]>(
    (longest, { run }) =>
      run.summary.per_instance.length > longest.length ? run.summary.per_instance : longest,
    [],
  );
  return most.map((instance) => instance.name);
}

function charts(names: readonly string[], inks: readonly VariantInk[], notes: Footnotes): Markup {
  return html`${quantities.map(({ title, metric, of }) => {
    const bars = inks.map((ink) => ({
      ink,
      values: names.map((_, i) => {
        const instance = ink.run.summary.per_instance[i];
        return instance === undefined ? Number.NaN : of(instance);
      }),
    }));
    return html`<figure><figcaption><b>${title}</b>${metric === 'busy' && notes.mark(metric)} per instance</figcaption>
<div class="legend">${inks.map((ink) => boxKey(ink.label, ink.dashed ? `url(#hatch-${ink.index})` : ink.colour, ink.colour))}</div>
${balanceChart(metric, names, bars, `${title} per instance`)}</figure>`;
  })}`;
}

function table(inks: readonly VariantInk[]): Markup {
  const count = (n: number | undefined) => (n === undefined ? '–' : withSeparators(String(n)));
  const share = (id: string, value: number | undefined) =>
    value === undefined ? '–' : formatMetric(id, value);
  return html`<div class="scroll"><table><thead><tr><th>#</th><th class="text">instance</th><th class="text">pool</th>${inks.length > 1 && html`<th class="text">variant</th>`}<th>prompts</th><th>finished</th><th>prompt tok</th><th>output tok</th><th>busy</th><th>KV peak</th><th>hit rate</th><th>queue mean</th><th>queue peak</th></tr></thead><tbody>${instanceNames(
    inks,
  ).map((_, i) =>
    inks.map((ink, k) => {
      const x = ink.run.summary.per_instance[i];
      if (x === undefined) return undefined;
      const { block_refs: refs, hits } = x;
      const isKnown = refs !== undefined && refs > 0 && hits !== undefined;
      const hitRate = isKnown ? formatMetric('prefix_hit_rate', hits / refs) : '–';
      return html`<tr${k === 0 && html` class="first"`}><td>${x.instance}</td><td class="text" title="${x.name}">${shortened(x.name, 28)}</td><td class="text">${x.pool}</td>${inks.length > 1 && html`<td class="text">${shortened(ink.label, 20)}</td>`}<td>${count(x.prefills)}</td><td>${count(x.completed)}</td><td>${count(x.prompt_tokens)}</td><td>${count(x.output_tokens)}</td><td>${share('busy', x.busy_fraction)}</td><td>${share('kv_used', x.kv_peak_fraction)}</td><td>${hitRate}</td><td>${x.queue_mean === undefined ? '–' : threeFigures(x.queue_mean)}</td><td>${count(x.queue_peak)}</td></tr>`;
    }),
  )}</tbody></table></div>`;
}
