import { Footnotes } from './footnotes.ts';
import { htmlPage } from './htmlPage.ts';
import { hatches } from './legend.ts';
import { type Markup, nothing } from './markup.ts';
import type { ReportInput } from './reportInput.ts';
import { accounting } from './sections/accounting.ts';
import { balance } from './sections/balance.ts';
import { distributions } from './sections/distributions.ts';
import { headline } from './sections/headline.ts';
import { differences, provenance, verification } from './sections/provenance.ts';
import { ratios } from './sections/ratios.ts';
import { timelines } from './sections/timelines.ts';
import { variantInks } from './variantInk.ts';

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
  return htmlPage({
    title: input.title,
    made: input.made,
    version: input.version,
    patterns: hatches(inks),
    sections,
    legend:
      't0 = intended arrival, t1 = first token, tn = last token, n = output tokens. Percentiles interpolate linearly over all samples, or come from a sketch whose bound is printed.',
    notes,
    remark: inks.some((ink) => ink.dashed) ? 'Dashed and hatched: simulated, not measured.' : undefined,
  });
}
