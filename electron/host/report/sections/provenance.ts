import { formatMetric, withSeparators } from '../../../../workloads/metrics/format.ts';
import type { Comparison } from '../../../contract/protocol.ts';
import { flattened, pathIn } from '../manifest.ts';
import { type Content, html, type Markup, nothing, shortened } from '../markup.ts';
import type { ReportRun } from '../reportInput.ts';
import { durationText, instant } from './headline.ts';

/** The properties that these sections need of a run of any kind. */
export interface ReportedRun {
  readonly label: string;
  readonly run: Pick<ReportRun, 'info' | 'manifest' | 'command'>;
}

/** The verification of the variants' outputs, and the limits of the comparison. */
export function verification(comparison: Comparison): Markup {
  const { status, method, detail } = comparison.verification;
  const words: Readonly<Record<string, string>> = {
    passed: '✓ passed',
    failed: '✗ failed',
    not_applicable: 'not applicable',
    not_run: 'not run',
  };
  const kind = status === 'passed' ? 'good' : status === 'failed' ? 'fault' : '';
  return html`<section><h2>Verification</h2>
<p class="note ${kind}"><b>${words[status] ?? status}</b> ${method}${detail !== undefined && html`<br>${detail}`}</p></section>`;
}

const mostDifferences = 200;

/** "Diff only": where the two specs and machines differ. */
export function differences(comparison: Comparison, inks: readonly Pick<ReportedRun, 'label'>[]): Markup {
  const all = comparison.differences;
  if (all.length === 0) {
    return html`<section><h2>Differences of the specs</h2><p class="empty">The two specs are the same, but for the variant's name: what differs is how it is done.</p></section>`;
  }
  const [a, b] = inks.map((ink) => shortened(ink.label, 28));
  return html`<section><h2>Differences of the specs</h2>
<p class="small">Everything else in the two run specs is equal.</p>
<table class="value-list paths"><thead><tr><th class="text">path</th><th class="text">${a}</th><th class="text">${b}</th></tr></thead><tbody>${all
    .slice(0, mostDifferences)
    .map(
      (d) =>
        html`<tr><td class="key"><code>${d.path}</code></td><td class="text"><code>${shortened(d.baseline, 400)}</code></td><td class="text"><code>${shortened(d.optimized, 400)}</code></td></tr>`,
    )}</tbody></table>${all.length > mostDifferences && html`<p class="small">${all.length - mostDifferences} more differences are not shown.</p>`}</section>`;
}

/** Everything that says where the figures come from: runs, versions, hardware, the specs, the commands. */
export function provenance(input: { readonly command: string }, inks: readonly ReportedRun[]): Markup {
  return html`<section><h2>Where this comes from</h2>
${manifestTable(inks)}
${specs(inks)}</section>
<section><h2>Again, from the command line</h2>
<pre>${input.command}</pre>
${inks.length === 2 && inks.map((ink) => html`<p class="small">${ink.label} alone</p><pre>${ink.run.command}</pre>`)}</section>`;
}

const notInTable: ReadonlySet<string> = new Set([
  ...['spec', 'checksums', 'files', 'schema'],
  // Shown from the run's own row above.
  ...['run', 'status', 'started', 'ended', 'wall_s', 'target', 'title', 'variant', 'engine', 'group'],
]);
const mostRows = 80;

function manifestTable(inks: readonly ReportedRun[]): Markup {
  const rows = new Map<string, (string | undefined)[]>();
  inks.forEach((ink, i) => {
    const set = (key: string, value: string) => {
      const cells = rows.get(key) ?? inks.map(() => undefined);
      cells[i] = value;
      rows.set(key, cells);
    };
    const { info } = ink.run;
    set('run', info.run);
    set('status', info.status);
    set('started', instant(info.started));
    if (info.wall_s !== undefined) set('took', durationText(info.wall_s));
    for (const [key, value] of flattened(ink.run.manifest, notInTable)) {
      if (!rows.has(key) || rows.get(key)?.[i] === undefined) set(key, shortened(readable(key, value), 300));
    }
  });
  const shown = [...rows].slice(0, mostRows);
  const cells = (values: readonly (string | undefined)[]): Content => {
    const [first, ...others] = values;
    return others.every((value) => value === first)
      ? html`<td class="text" colspan="${values.length}">${first}</td>`
      : values.map((value) => html`<td class="text">${value ?? '–'}</td>`);
  };
  return html`<table class="value-list"><thead><tr><th class="text"></th>${inks.map((ink) => html`<th class="text">${shortened(ink.label, 28)}</th>`)}</tr></thead><tbody>${shown.map(
    ([key, values]) => html`<tr><td class="key">${key}</td>${cells(values)}</tr>`,
  )}</tbody></table>${rows.size > mostRows && html`<p class="small">${rows.size - mostRows} more entries are in manifest.json.</p>`}`;
}

/** Sizes in the manifest are exact bytes; a reader wants gigabytes as well. */
function readable(key: string, value: string): string {
  if (!/(^|[._])bytes$/.test(key) || !/^\d{4,}$/.test(value)) return value;
  return `${formatMetric('memory_used_bytes', Number(value))} (${value})`;
}

const mostSpecCharacters = 100_000;

function specs(inks: readonly ReportedRun[]): Markup {
  return html`${inks.map((ink) => {
    const spec = pathIn(ink.run.manifest, 'spec');
    if (spec === undefined) return nothing;
    const text = JSON.stringify(spec, undefined, 2);
    const cut = text.length > mostSpecCharacters;
    return html`<details><summary>Whole run spec, ${ink.label} (${withSeparators(String(text.split('\n').length))} lines)</summary><pre>${cut ? text.slice(0, mostSpecCharacters) : text}</pre>${cut && html`<p class="small">Cut here; the whole is in manifest.json.</p>`}</details>`;
  })}`;
}
