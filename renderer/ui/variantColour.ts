/** What the legend calls a baseline of the same variant as the run in front of it: `pinned SGLang`. */
export const pinnedWord = 'pinned ';

/** The token of a variant's colour, the same in every view and report. */
export function variantToken(variant: string): string {
  switch (variant) {
    case 'baseline':
      return '--baseline';
    case 'optimized':
      return '--optimized';
    case 'as_published':
      return '--as-published';
    default:
      // A run behind another one of the same variant.
      return variant.startsWith(pinnedWord) ? '--second-run' : '--other-variant';
  }
}

export function poolToken(pool: string): string {
  if (pool.includes('prefill')) return '--prefill';
  return pool.includes('decode') ? '--decode' : '--mixed';
}
