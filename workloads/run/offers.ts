import { type Capability, everyCapability } from './capability.ts';
import type { EngineId } from './spec.ts';

/** What serving on GPUs offers: batches of Dyno's own, on the wall clock. */
export const gpuOffers: ReadonlySet<Capability> = new Set<Capability>([
  'composed_batches',
  'schedulers',
  'prefix_cache',
  'hand_off',
  'migration',
  'swap',
  'eviction',
  'speculation',
  'admission',
  'several_models',
  'router_views',
]);

/** What servers offer: they compose their own batches; Dyno sends, routes and watches. */
export const serverOffers: ReadonlySet<Capability> = new Set<Capability>([
  'prefix_cache',
  'admission',
  'router_views',
  'several_models',
]);

/**
 * What each engine offers, for lists and forms that cannot load the engine itself; the engines export the same sets. Undefined
 * where this build has no such engine for serving.
 */
export const offers: Readonly<Record<EngineId, ReadonlySet<Capability> | undefined>> = {
  sim: everyCapability,
  cuda: gpuOffers,
  http: serverOffers,
};
