import { stream } from '../../run/random.ts';
import type { RequestClassSpec } from '../../run/schedulerSpec.ts';

/** The class of every request, an index into `classes`: drawn by the shares, alike for every variant of a run. */
export function requestClasses(
  classes: readonly RequestClassSpec[],
  requests: number,
  seed: number,
  replicate: number,
): Uint8Array {
  const random = stream(seed, `request classes ${replicate}`);
  const total = classes.reduce((sum, c) => sum + c.share, 0);
  return Uint8Array.from({ length: requests }, () => {
    let left = random.uniform() * total;
    const found = classes.findIndex((c) => {
      left -= c.share;
      return left < 0;
    });
    return found < 0 ? classes.length - 1 : found;
  });
}
