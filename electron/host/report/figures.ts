import { metricParts } from '../../../workloads/metrics/format.ts';
import { html, type Markup } from './markup.ts';

/** A metric's value in three figures, its unit in a quieter colour, all digits in the tooltip; a dash where absent. */
export function figure(id: string, value: number | undefined): Markup {
  if (value === undefined || !Number.isFinite(value)) return html`<span class="muted">–</span>`;
  const { number, unit } = metricParts(id, value);
  const exact = metricParts(id, value, true);
  const title = exact.unit === '' ? exact.number : `${exact.number} ${exact.unit}`;
  return html`<span class="num" title="${title}">${number}${unit !== '' && html`<span class="unit">\u202f${unit}</span>`}</span>`;
}
