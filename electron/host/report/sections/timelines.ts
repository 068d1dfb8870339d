import { metricOf } from '../../../../workloads/metrics/registry.ts';
import { areaChart } from '../charts/areaChart.ts';
import { extentOf, fromZero, linearScale } from '../charts/axes.ts';
import { lineChart } from '../charts/lineChart.ts';
import { latencyScale, percentileChart } from '../charts/percentileChart.ts';
import { lastTime, poolsWith, stretches } from '../charts/series.ts';
import type { Footnotes } from '../footnotes.ts';
import { boxKey, lineKey } from '../legend.ts';
import { type Content, html, type Markup, nothing, shortened } from '../markup.ts';
import { poolColour, poolHatch } from '../poolInk.ts';
import { dash, type VariantInk } from '../variantInk.ts';
import { sloOf } from './headline.ts';

const latencies = ['ttft_ms', 'tpot_ms'] as const;
const pooled = ['queue_depth', 'kv_used'] as const;

/** Percentiles, goodput, queues and KV use over the time of the run; the runs side by side on the same axes. */
export function timelines(inks: readonly VariantInk[], notes: Footnotes): Markup {
  const durationMs = Math.max(
    ...inks.flatMap(({ run }) => run.series.map((s) => lastTime(stretches(run, s.source, s.metric)))),
    0,
  );
  if (durationMs <= 0) {
    return html`<section><h2>Over time</h2><p class="empty">No samples over time: the run kept none, or ended before the first.</p></section>`;
  }
  return html`<section><h2>Over time</h2>
${rows(
  latencies.map((metric) => percentilePanels(metric, inks, durationMs, notes)),
  inks,
)}
${goodput(inks, durationMs, notes)}
${rows(
  pooled.map((metric) => poolPanels(metric, inks, durationMs, notes)),
  inks,
)}</section>`;
}

/** Two runs side by side, metric by metric; of one run, its two metrics side by side. */
function rows(panels: readonly (readonly Markup[])[], inks: readonly VariantInk[]): Content {
  const row = (figures: readonly Markup[]) => html`<div class="row">${figures}</div>`;
  return inks.length === 1 ? row(panels.flat()) : panels.map(row);
}

function percentilePanels(
  metric: (typeof latencies)[number],
  inks: readonly VariantInk[],
  durationMs: number,
  notes: Footnotes,
): readonly Markup[] {
  const scale = latencyScale(metric, inks);
  const { label } = metricOf(metric);
  if (scale === undefined) return [html`<p class="empty">No samples of ${label} over time.</p>`];
  const slo = inks[0] === undefined ? undefined : sloOf(inks[0])[metric];
  return inks.map(
    (ink) =>
      html`<figure><figcaption><b>${label}</b>${notes.mark(metric)}, ${shortened(ink.label, 40)}: percentiles of a sliding window${scale.kind === 'log' && ', logarithmic axis'}</figcaption>
<div class="legend">${lineKey('p50', ink.colour, { dashed: ink.dashed })}${boxKey('p50–p95', ink.colour, undefined, 0.45)}${boxKey('p95–p99', ink.colour, undefined, 0.2)}</div>
${percentileChart(metric, ink, scale, durationMs, slo)}</figure>`,
  );
}

function goodput(inks: readonly VariantInk[], durationMs: number, notes: Footnotes): Markup {
  const lines = inks.map((ink) => ({ ink, stretches: stretches(ink.run, 'cluster', 'goodput_rps') }));
  const present = lines.filter((line) => line.stretches.length > 0);
  if (present.length === 0) return nothing;
  const extent = extentOf(present.flatMap((l) => l.stretches.map((s) => s.map((b) => b.max))));
  return html`<figure><figcaption><b>Goodput</b>${notes.mark('goodput_rps')} over time</figcaption>
<div class="legend">${present.map(({ ink }) => lineKey(ink.label, ink.colour, { dashed: ink.dashed, width: widthOf(ink) }))}</div>
${lineChart(
  'goodput_rps',
  present.map(({ ink, stretches: found }) => ({
    colour: ink.colour,
    dash: dash(ink),
    width: widthOf(ink),
    stretches: found,
  })),
  linearScale(fromZero(extent)),
  durationMs,
  { width: 940, height: 190 },
  'goodput over time',
)}</figure>`;
}

/** Lines over each other differ in width as well as in colour. */
const widthOf = (ink: VariantInk): number => (ink.index === 0 ? 1.2 : 2.2);

const poolWidths: Readonly<Record<string, number>> = { prefill: 1.8, decode: 1, mixed: 1.2 };

function poolPanels(
  metric: (typeof pooled)[number],
  inks: readonly VariantInk[],
  durationMs: number,
  notes: Footnotes,
): readonly Markup[] {
  const pools = poolsWith(
    inks.map((ink) => ink.run),
    metric,
  );
  const { label } = metricOf(metric);
  if (pools.length === 0) return [html`<p class="empty">No samples of ${label} over time.</p>`];
  const all = inks.flatMap((ink) => pools.flatMap((pool) => stretches(ink.run, `pool:${pool}`, metric)));
  const extent = extentOf(all.map((s) => s.map((b) => b.max)));
  const scale = linearScale(
    metric === 'kv_used' && (extent?.max ?? 0) > 0.5 ? { min: 0, max: 1 } : fromZero(extent),
  );
  return inks.map((ink) => {
    const lines = pools.flatMap((pool) => {
      const found = stretches(ink.run, `pool:${pool}`, metric);
      return found.length === 0
        ? []
        : [
            {
              pool,
              colour: poolColour(pool),
              fill: ink.dashed ? `url(#${poolHatch(pool)})` : poolColour(pool),
              fillOpacity: ink.dashed ? 0.6 : 0.2,
              width: poolWidths[pool] ?? 1.4,
              stretches: found,
            },
          ];
    });
    return html`<figure><figcaption><b>${label}</b>${notes.mark(metric)} per pool, ${shortened(ink.label, 40)}: highest of each interval</figcaption>
<div class="legend">${lines.map((line) => boxKey(line.pool, line.fill, line.colour, line.fillOpacity))}</div>
${
  lines.length === 0
    ? html`<p class="empty">No samples in this run.</p>`
    : areaChart(
        metric,
        lines,
        scale,
        durationMs,
        { width: 460, height: 190 },
        `${label} per pool, ${ink.label}`,
      )
}</figure>`;
  });
}
