import { type Capability, everyCapability } from './capability.ts';
import type { EngineId } from './spec.ts';

/**
 * What each engine offers, for lists and forms that cannot load the engine itself; the engines export the same sets. Undefined
 * where this build has no such engine for serving.
 */
export const offers: Readonly<Record<EngineId, ReadonlySet<Capability> | undefined>> = {
  sim: everyCapability,
  cuda: undefined,
  http: undefined,
};
