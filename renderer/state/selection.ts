import type { ViewId } from '../../electron/contract/views.ts';
import type { Selection } from './windowStore.ts';

/** Is the selected request one of what this view shows? The inspector shows it only there. */
export function belongs(
  selection: Selection,
  view: ViewId,
  liveRun: string | undefined,
  pair: { readonly baseline: string | undefined; readonly optimized: string | undefined },
): selection is Extract<Selection, { readonly kind: 'request' }> {
  if (selection.kind !== 'request') return false;
  if (view === 'live') return selection.run === liveRun;
  if (view !== 'compare') return false;
  const sides = [pair.baseline, pair.optimized];
  return sides.includes(selection.run) && (selection.other === undefined || sides.includes(selection.other));
}
