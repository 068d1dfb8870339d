/** A parameter between two bounds. */
export interface Bounded {
  readonly low: number;
  readonly high: number;
  readonly start: number;
}

/**
 * Nelder and Mead's simplex, for a few parameters and a function without derivatives. Deterministic: the first simplex
 * steps a tenth of each range; what leaves the bounds is put back on them. Ends after `steps`, or when the simplex's
 * values differ by less than one part in 10⁶.
 */
export function nelderMead(
  cost: (point: readonly number[]) => number,
  parameters: readonly Bounded[],
  steps: number,
): { readonly point: readonly number[]; readonly cost: number } {
  const inside = (point: readonly number[]): number[] =>
    point.map((value, i) => {
      const { low, high } = parameters[i] ?? { low: value, high: value };
      return Math.min(high, Math.max(low, value));
    });
  const at = (point: readonly number[]) => {
    const held = inside(point);
    return { point: held, cost: cost(held) };
  };
  const start = parameters.map(({ start }) => start);
  const simplex = [at(start)];
  parameters.forEach(({ low, high, start: from }, i) => {
    const step = (high - low) / 10;
    simplex.push(
      at(start.map((value, k) => (k === i ? (from + step <= high ? from + step : from - step) : value))),
    );
  });
  const order = () => simplex.sort((a, b) => a.cost - b.cost);
  for (let step = 0; step < steps; step++) {
    order();
    const best = simplex[0];
    const worst = simplex[simplex.length - 1];
    const second = simplex[simplex.length - 2];
    if (best === undefined || worst === undefined || second === undefined) break;
    if (worst.cost - best.cost <= 1e-6 * Math.abs(best.cost)) break;
    const middle = start.map(
      (_, i) =>
        simplex.slice(0, -1).reduce((sum, { point }) => sum + (point[i] ?? 0), 0) / (simplex.length - 1),
    );
    const along = (factor: number) =>
      at(middle.map((value, i) => value + factor * ((worst.point[i] ?? 0) - value)));
    const reflected = along(-1);
    if (reflected.cost < best.cost) {
      const expanded = along(-2);
      simplex[simplex.length - 1] = expanded.cost < reflected.cost ? expanded : reflected;
    } else if (reflected.cost < second.cost) {
      simplex[simplex.length - 1] = reflected;
    } else {
      const contracted = along(reflected.cost < worst.cost ? -0.5 : 0.5);
      if (contracted.cost < Math.min(reflected.cost, worst.cost)) simplex[simplex.length - 1] = contracted;
      else {
        for (let i = 1; i < simplex.length; i++) {
          const point = simplex[i]?.point ?? best.point;
          simplex[i] = at(point.map((value, k) => (value + (best.point[k] ?? 0)) / 2));
        }
      }
    }
  }
  order();
  return simplex[0] ?? at(start);
}
