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
      return '--other-variant';
  }
}

export function poolToken(pool: string): string {
  if (pool.includes('prefill')) return '--prefill';
  return pool.includes('decode') ? '--decode' : '--mixed';
}
