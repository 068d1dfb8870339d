import { html, type Markup } from './markup.ts';
import { knownPools, poolColour, poolHatch } from './poolInk.ts';
import type { VariantInk } from './variantInk.ts';

/** A short piece of line as the charts draw it, with its word. */
export function lineKey(
  label: string,
  colour: string,
  more: { readonly dashed?: boolean; readonly symbol?: VariantInk['symbol']; readonly width?: number } = {},
): Markup {
  const symbol =
    more.symbol === 'circle'
      ? html`<circle cx="13" cy="6" r="3.6" fill="var(--bg)" stroke="${colour}" stroke-width="1.8"/>`
      : more.symbol === 'diamond' &&
        html`<path d="M13 1.6L17.4 6L13 10.4L8.6 6Z" fill="var(--bg)" stroke="${colour}" stroke-width="1.8"/>`;
  return html`<span class="key-line"><svg viewBox="0 0 26 12" aria-hidden="true"><path d="M0 6H26" stroke="${colour}" stroke-width="${more.width ?? 2}"${more.dashed === true && html` stroke-dasharray="6 2.5"`}/>${symbol}</svg><span class="label">${label}</span></span>`;
}

export function boxKey(label: string, fill: string, stroke?: string, opacity = 1): Markup {
  return html`<span class="key-line"><svg viewBox="0 0 26 12" aria-hidden="true"><rect x="1" y="1" width="24" height="10" fill="${fill}" fill-opacity="${opacity}"${stroke !== undefined && html` stroke="${stroke}"`}/></svg><span class="label">${label}</span></span>`;
}

export const variantKey = (ink: Pick<VariantInk, 'label' | 'colour' | 'dashed' | 'symbol'>): Markup =>
  lineKey(ink.label, ink.colour, { dashed: ink.dashed, symbol: ink.symbol });

/** Fill patterns of bars and areas whose figures are modelled: `url(#hatch-<index>)`, `url(#hatch-pool-<pool>)`. */
export function hatches(inks: readonly VariantInk[]): Markup {
  const pattern = (id: string, colour: string) =>
    html`<pattern id="${id}" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="5" height="5" fill="${colour}" fill-opacity="0.28"/><rect width="2" height="5" fill="${colour}" fill-opacity="0.85"/></pattern>`;
  return html`<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>${inks.map((ink) =>
    pattern(`hatch-${ink.index}`, ink.colour),
  )}${[...knownPools, 'other'].map((pool) => pattern(poolHatch(pool), poolColour(pool)))}</defs></svg>`;
}
