import type { Footnotes } from './footnotes.ts';
import { html, type Markup, trusted } from './markup.ts';
import { reportStyle } from './reportStyle.ts';
import { instant } from './sections/headline.ts';

// The page may use its own style and nothing else: no script, no picture, no font, no frame, no form, wherever it is opened.
const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

export interface PageParts {
  readonly title: string;
  /** ISO 8601, UTC. */
  readonly made: string;
  readonly version: string;
  /** Drawn once, used by reference: fill patterns. */
  readonly patterns?: Markup;
  readonly sections: readonly Markup[];
  /** The meaning of the letters in the definitions. */
  readonly legend: string;
  readonly notes: Footnotes;
  readonly remark?: string | undefined;
}

/** The page around a report's sections. */
export function htmlPage(parts: PageParts): string {
  const { title, made, version, patterns, sections, legend, notes, remark } = parts;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="Dyno ${version}">
<title>${title}</title>
<style>${trusted(reportStyle)}</style>
</head>
<body>
${patterns}
<main>
${sections}
<section><h2>What the metrics mean</h2>
<p class="small">${legend}</p>
${notes.definitions()}</section>
<footer>Made by Dyno ${version} on ${instant(made)}.${remark !== undefined && ` ${remark}`}</footer>
</main>
</body>
</html>
`.text;
}
