/** Colours of the pools; the same in every view of Dyno. */
const colours: Readonly<Record<string, string>> = {
  prefill: 'var(--prefill)',
  decode: 'var(--decode)',
  mixed: 'var(--mixed)',
};
const other = 'var(--other-variant)';

export const knownPools: readonly string[] = Object.keys(colours);

export const poolColour = (pool: string): string => colours[pool] ?? other;

/** Id of the fill pattern for modelled figures of a pool. */
export const poolHatch = (pool: string): string =>
  `hatch-pool-${Object.hasOwn(colours, pool) ? pool : 'other'}`;
