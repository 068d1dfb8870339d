/**
 * What a run may ask of an engine. Targets say what they need, engines what they offer; what does not fit is refused with one
 * line that names the capability.
 */
export const capabilities = {
  composed_batches: 'batches that are composed by Dyno’s own scheduler',
  schedulers: 'other schedulers than continuous batching, first come first served',
  static_batching: 'static batching',
  prefix_cache: 'a prefix cache',
  hand_off: 'prefill and decode on different instances',
  migration: 'moving a request that is decoding',
  prefix_fetch: 'fetching a prefix from another instance',
  tiers: 'memory tiers below HBM',
  swap: 'preemption by swap to host memory',
  eviction: 'other eviction policies than LRU',
  admission: 'admission control',
  expert_groups: 'experts divided over a group of instances',
  pipeline: 'pipeline stages',
  collectives: 'tensor parallelism over named collectives',
  speculation: 'speculative decoding',
  modelled_drafts: 'drafts of a model or a head, or of adaptive length',
  early_exit: 'early exit',
  guided_decoding: 'guided decoding',
  kv_quantisation: 'a quantised KV cache',
  host_costs: 'modelled CPU work per pass',
  several_models: 'models of several sizes in one cluster',
  faults: 'crashes, slow instances and failing links on a timeline',
  autoscaling: 'autoscaling and re-balancing of pools',
  router_views: 'stale, delayed or partial views of several routers',
  stochastic_service: 'service times drawn from a distribution',
} as const;

export type Capability = keyof typeof capabilities;

/** Every capability, for engines that offer all of them. */
export const everyCapability: ReadonlySet<Capability> = new Set(Object.keys(capabilities) as Capability[]);
