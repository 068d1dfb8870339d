import type { Instance } from '../instance.ts';

/** Who gives up its blocks: the latest of the batch, or, with keys, the one that would be served last; ties: the latest. */
export function victimOf(instance: Instance, keys: ArrayLike<number> | undefined): number {
  if (keys === undefined) return instance.lastRunning;
  const { runAfter } = instance.requests;
  let victim = -1;
  let worst = Number.NEGATIVE_INFINITY;
  for (let r = instance.firstRunning; r >= 0; r = runAfter[r] ?? -1) {
    const key = keys[r] ?? 0;
    if (key >= worst) {
      worst = key;
      victim = r;
    }
  }
  return victim;
}
