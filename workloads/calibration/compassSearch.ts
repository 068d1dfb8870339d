import type { Bounded } from './nelderMead.ts';

/**
 * Compass search: each parameter in turn is tried a step up and a step down, an improvement is kept and its step grows by a third; when
 * none improves, all steps halve. Slower than a simplex where parameters are few, steadier where they are a dozen of which each matters to
 * some of the data. Deterministic. Ends when every step is below a five-hundredth of its range, or after `most` evaluations.
 */
export function compassSearch(
  cost: (point: readonly number[]) => number,
  bounds: readonly Bounded[],
  most: number,
): { readonly point: readonly number[]; readonly cost: number } {
  let point = bounds.map(({ start }) => start);
  let best = cost(point);
  const ranges = bounds.map(({ low, high }) => high - low);
  const steps = ranges.map((range) => range / 12);
  let left = most - 1;
  while (left > 0 && steps.some((step, i) => step > (ranges[i] ?? 0) / 500)) {
    let improved = false;
    for (let i = 0; i < bounds.length && left > 0; i++) {
      const { low, high } = bounds[i] ?? { low: 0, high: 0 };
      for (const direction of [1, -1]) {
        const candidate = point.slice();
        const at = (point[i] ?? 0) + direction * (steps[i] ?? 0);
        candidate[i] = Math.min(high, Math.max(low, at));
        if (candidate[i] === point[i]) continue;
        left--;
        const value = cost(candidate);
        if (value >= best) continue;
        best = value;
        point = candidate;
        steps[i] = (steps[i] ?? 0) * 1.3;
        improved = true;
        break;
      }
    }
    if (!improved) for (let i = 0; i < steps.length; i++) steps[i] = (steps[i] ?? 0) / 2;
  }
  return { point, cost: best };
}
