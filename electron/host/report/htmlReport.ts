import { Footnotes } from './footnotes.ts';
import { hatches } from './legend.ts';
import { html, type Markup, nothing, trusted } from './markup.ts';
import type { ReportInput } from './reportInput.ts';
import { reportStyle } from './reportStyle.ts';
import { accounting } from './sections/accounting.ts';
import { balance } from './sections/balance.ts';
import { distributions } from './sections/distributions.ts';
import { headline, instant } from './sections/headline.ts';
import { differences, provenance, verification } from './sections/provenance.ts';
import { ratios } from './sections/ratios.ts';
import { timelines } from './sections/timelines.ts';
import { variantInks } from './variantInk.ts';

// The page may use its own style and nothing else: no script, no picture, no font, no frame, no form, wherever it is opened.
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/**
 * One self-contained HTML file: no script, nothing fetched, both colour schemes, prints on A4. Of an A/B comparison or of
 * one run. The same input gives the same bytes.
 */
export function htmlReport(input: ReportInput): string {
  const inks = variantInks(input);
  const notes = new Footnotes();
  const { comparison } = input;
  // In the order of the page: footnotes are numbered as they come.
  const sections: readonly Markup[] = [
    headline(input, inks, notes),
    comparison === undefined ? nothing : ratios(comparison, inks, notes),
    distributions(inks, notes),
    timelines(inks, notes),
    balance(inks, notes),
    accounting(inks, notes),
    comparison === undefined ? nothing : verification(comparison),
    comparison === undefined ? nothing : differences(comparison, inks),
    provenance(input, inks),
  ];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Dyno ${input.version}">
<title>${input.title}</title>
<style>${trusted(reportStyle)}</style>
</head>
<body>
${hatches(inks)}
<main>
${sections}
<section><h2>What the metrics mean</h2>
<p class="small">t0 = intended arrival, t1 = first token, tn = last token, n = output tokens. Percentiles interpolate linearly over all samples, or come from a sketch whose bound is printed.</p>
${notes.definitions()}</section>
<footer>Made by Dyno ${input.version} on ${instant(input.made)}.${inks.some((ink) => ink.dashed) && ' Dashed and hatched: simulated, not measured.'}</footer>
</main>
</body>
</html>
`.text;
}
