import type { PassComposer } from '../passComposer.ts';

/** Who gives up its blocks: the latest of the batch, or, with keys, the one that would be served last; ties: the latest. */
export function victimOf(pass: PassComposer, keys: ArrayLike<number> | undefined): number {
  if (keys === undefined) return pass.lastRunning;
  const { runAfter } = pass.requests;
  let victim = -1;
  let worst = Number.NEGATIVE_INFINITY;
  for (let r = pass.firstRunning; r >= 0; r = runAfter[r] ?? -1) {
    const key = keys[r] ?? 0;
    if (key >= worst) {
      worst = key;
      victim = r;
    }
  }
  return victim;
}
