import { findMetric, type Metric } from '../../../workloads/metrics/registry.ts';
import { html, type Markup, nothing } from './markup.ts';

const unitWords: Readonly<Record<string, string>> = { fraction: 'share, shown as %', count: '' };

/** Numbers the metrics in the order in which the report first names them; their definitions stand at its end. */
export class Footnotes {
  private readonly numbers = new Map<string, number>();

  /** The small number behind a metric's name; nothing for an id that the registry does not know. */
  mark(id: string): Markup {
    const metric = findMetric(id)?.metric;
    if (metric === undefined) return nothing;
    const number = this.numbers.get(metric.id) ?? this.numbers.size + 1;
    this.numbers.set(metric.id, number);
    return html`<sup class="fn"><a href="#metric-${metric.id}">${number}</a></sup>`;
  }

  /** Label and mark. */
  name(id: string, label?: string): Markup {
    return html`${label ?? findMetric(id)?.metric.label ?? id}${this.mark(id)}`;
  }

  definitions(): Markup {
    const used = [...this.numbers.keys()].flatMap((id): readonly Metric[] => {
      const metric = findMetric(id)?.metric;
      return metric === undefined ? [] : [metric];
    });
    return html`<ol class="definitions">${used.map((metric) => {
      const unit = unitWords[metric.unit] ?? metric.unit;
      return html`<li id="metric-${metric.id}"><b>${metric.label}</b>${unit === '' ? '' : ` (${unit})`}: ${metric.definition}.</li>`;
    })}</ol>`;
  }
}
