import { findTarget } from '../../../workloads/catalog/catalog.ts';
import type { RunSpec, TrafficSpec } from '../../../workloads/run/spec.ts';

/** A small run of the default lab. */
export function testSpec(
  options: {
    readonly variant?: string;
    readonly requests?: number;
    readonly traffic?: TrafficSpec;
    readonly seed?: number;
  } = {},
): RunSpec {
  const target = findTarget('labs/dynamic_router:dynamic_router');
  if (target === undefined) throw new Error('the default lab is not in the catalogue');
  return target.spec({
    variant: options.variant ?? 'optimized',
    engine: 'sim',
    parameters: { requests: options.requests ?? 300 },
    ...(options.traffic === undefined ? {} : { traffic: options.traffic }),
    seed: options.seed ?? 0,
    iterations: 1,
  });
}
