import { stream } from '../run/random.ts';
import type { TrafficSpec } from '../run/spec.ts';
import { closedTraffic } from './closedTraffic.ts';
import { labTraffic } from './labTraffic.ts';
import { openTraffic } from './openTraffic.ts';
import { syntheticTraffic } from './syntheticTraffic.ts';
import type { Traffic } from './traffic.ts';

export type GeneratedSpec = Exclude<TrafficSpec, { kind: 'trace' }>;

/** Draws traffic. It depends on the spec and the seed only, never on the variant: both see the same requests. */
export function generate(spec: GeneratedSpec, seed: number): Traffic {
  switch (spec.kind) {
    case 'open':
      return openTraffic(spec, seed);
    case 'closed':
      return closedTraffic(spec, seed);
    case 'lab':
      return labTraffic(spec, seed);
    case 'synthetic':
      return syntheticTraffic(spec, seed);
    default: {
      const never: never = spec;
      return never;
    }
  }
}

/** The first replicate draws from the run's own seed, the others from seeds that follow from it. */
export const replicateSeed = (seed: number, replicate: number): number =>
  replicate === 0 ? seed : stream(seed, `replicate ${replicate}`).bits();
