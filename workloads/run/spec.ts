import { z } from 'zod';
import { traceFormats } from '../traffic/traces/dialects.ts';
import { admissionSpec } from './admissionSpec.ts';
import { complexitySpec } from './complexitySpec.ts';
import { handoffSpec } from './handoffSpec.ts';
import { hostSpec } from './hostSpec.ts';
import { instanceSpec } from './instanceSpec.ts';
import { evictionPolicy, kvTiersSpec } from './kvSpec.ts';
import { modelShapeSpec } from './modelSpec.ts';
import { type PoolRole, poolRole } from './poolRole.ts';
import { routerViewSpec } from './routerViewSpec.ts';
import { schedulerPolicySpec } from './schedulerSpec.ts';
import { kvQuantisationSpec, techniqueSpec } from './techniqueSpec.ts';
import { autoscalingSpec, healthSpec, timelineEvent } from './timelineSpec.ts';
import { timeUnits } from './timeUnits.ts';
import { upgradedSpec } from './upgradeSpec.ts';

/**
 * A run spec: one JSON document that holds everything that can change a result. Running it again gives
 * byte-identical simulated results. Pace, output folder and the like are not in it.
 */

const positive = z.number().positive();
const count = z.int().positive();

export const engineId = z.enum(['sim', 'cuda', 'http']);
export type EngineId = z.infer<typeof engineId>;

/** Length distributions of generated traffic, in tokens. */
export const lengthSpec = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fixed'), value: count }),
  z.strictObject({ kind: z.literal('uniform'), min: count, max: count }),
  z.strictObject({ kind: z.literal('lognormal'), median: positive, sigma: positive, min: count, max: count }),
]);
export type LengthSpec = z.infer<typeof lengthSpec>;

export const trafficSpec = z.discriminatedUnion('kind', [
  /** A recorded trace. `speedup` 2 halves every gap. `limit` keeps the first requests. */
  z.strictObject({
    kind: z.literal('trace'),
    path: z.string().min(1),
    /** What the file was taken for when the spec was made; the reader looks again. */
    format: z.enum(traceFormats),
    speedup: positive.default(1),
    limit: count.optional(),
    /** Unit of numeric times; absent: as the dialect has it, or as the values show. */
    time_unit: z.enum(timeUnits).optional(),
    /** Tokens of one block of its prefix ids; 0 leaves the ids out; absent: as the dialect has it, or as the values show. */
    block_tokens: z.int().min(0).optional(),
    /** Only requests that arrive from .. to (not included), seconds since the first. */
    from_s: z.number().min(0).optional(),
    to_s: positive.optional(),
    /** Share of the requests, or of whole sessions; drawn by a hash, the same for the same share. */
    sample: z.number().positive().max(1).optional(),
    /** Requests that no instance has the KV memory for are left out and counted; absent: they refuse the run. */
    drop_oversized: z.boolean().optional(),
    /** Requests without a prompt or output token are left out and counted; absent: they refuse the run. */
    drop_empty: z.boolean().optional(),
    /** Poisson arrivals at this rate, for a trace that has no times. */
    rate_rps: positive.optional(),
    /** Token counts from texts, for a trace that has no lengths. */
    chars_per_token: positive.optional(),
    /** Output tokens of requests for which the trace gives none. */
    output_tokens: count.optional(),
  }),
  /** Open-loop arrivals. cv 1 = Poisson; cv > 1 = gamma-distributed gaps, burstier at equal rate. */
  z.strictObject({
    kind: z.literal('open'),
    rate_rps: positive,
    cv: positive.default(1),
    duration_s: positive,
    prompt: lengthSpec,
    output: lengthSpec,
    /** Share of requests that continue an earlier session or start with a shared prefix; 0 = no prefix identity. */
    prefix_share: z.number().min(0).max(1).default(0),
    block_tokens: count.default(16),
  }),
  /** A closed loop: each client sends its next request when the last one was answered and its think time has passed. */
  z.strictObject({
    kind: z.literal('closed'),
    clients: count,
    /** Of all clients together, dealt out evenly. */
    requests: count,
    /** Mean time between an answer and the client's next request. */
    think_s: z.number().min(0).default(0),
    think: z.enum(['fixed', 'exponential']).default('exponential'),
    /** Clients start evenly over this time; 0: all at once. */
    ramp_s: z.number().min(0).default(0),
    prompt: lengthSpec,
    output: lengthSpec,
  }),
  /** The lab's own generator: Poisson arrivals per 50 ms tick, a tick in five bursts by a factor. */
  z.strictObject({
    kind: z.literal('lab'),
    arrivals_per_tick: positive,
    burst_factor: positive.default(1),
    ticks: count.default(400),
    prompt: lengthSpec,
    output: lengthSpec,
  }),
  /** The built-in hour: diurnal rate, sessions with growing prefixes, heavy-tailed lengths. Needs no file. */
  z.strictObject({
    kind: z.literal('synthetic'),
    requests: count.default(6000),
    duration_s: positive.default(3600),
    speedup: positive.default(1),
  }),
]);
export type TrafficSpec = z.infer<typeof trafficSpec>;

export { type PoolRole, poolRole };

/** The link between any two instances. */
export const linkSpec = z.strictObject({
  bandwidth_gb_per_s: positive,
  latency_us: z.number().min(0),
});
export type LinkSpec = z.infer<typeof linkSpec>;

export const clusterSpec = z.strictObject({
  model: z.string(),
  instances: z.array(instanceSpec).min(1),
  scheduler: z.strictObject({
    /** Tokens of one forward pass: chunked prefill fills what decoding leaves. */
    max_batched_tokens: count,
    max_sequences: count,
    /** The next pass is put together while the one before it runs (vLLM's async scheduling). */
    plans_ahead: z.boolean().optional(),
    /** CPU work of each pass; absent: what the cost model's own overhead says. */
    host: hostSpec.optional(),
    /** Absent: continuous batching with chunked prefill, first come first served. */
    policy: schedulerPolicySpec.optional(),
  }),
  kv: z.strictObject({
    block_tokens: count,
    prefix_reuse: z.boolean(),
    /** A preempted request reuses the blocks of its own KV cache that no other request has taken since. */
    keeps_preempted: z.boolean().optional(),
    /** Which idle block goes first; absent: lru-prefix. */
    eviction: evictionPolicy.optional(),
    /** Where evicted prefix blocks go, and come back from; absent: they are gone. */
    tiers: kvTiersSpec.optional(),
    /** Keys and values are stored in fewer bits; absent: as the model's shape has them. */
    quantisation: kvQuantisationSpec.optional(),
  }),
  link: linkSpec,
  /** How prompts get to the decode pool; absent: one transfer per prompt, beside the engine. */
  handoff: handoffSpec.optional(),
  /** Decoding beyond one token per sequence and pass; absent: none. */
  technique: techniqueSpec.optional(),
});
export type ClusterSpec = z.infer<typeof clusterSpec>;

export const sloSpec = z.strictObject({
  ttft_ms: positive.optional(),
  tpot_ms: positive.optional(),
  e2e_ms: positive.optional(),
});
export type SloSpec = z.infer<typeof sloSpec>;

/** How much of the run is written down. The summary is exact whatever the detail. */
export const detailSpec = z.strictObject({
  requests: z.enum(['all', 'none']).default('all'),
  /** `all`: every decision; a number n: every n-th request's; `none`. */
  decisions: z.union([z.enum(['all', 'none']), count]).default('all'),
  iterations: z.enum(['all', 'none']).default('all'),
  /** `none`: no TBT10, whose gaps are kept per pass; worth it for millions of requests. Absent: all. */
  token_gaps: z.enum(['all', 'none']).optional(),
});
export type DetailSpec = z.infer<typeof detailSpec>;

/** Seconds that a run warms up, and how long it is measured then; `auto`: the warm-up by MSER-5. Absent duration: to the last arrival. */
export const measurementSpec = z.strictObject({
  warm_up: z.union([z.literal('auto'), z.number().min(0)]),
  measure_s: positive.optional(),
});
export type MeasurementSpec = z.infer<typeof measurementSpec>;

const currentRunSpec = z.strictObject({
  schema: z.literal(2),
  target: z.string(),
  variant: z.string(),
  engine: engineId,
  /** The target's parameters as chosen, all of them; `cluster` and `policy` were derived from them. */
  parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  traffic: trafficSpec,
  cluster: clusterSpec,
  /** Shapes read from a config.json, so that the spec holds everything: `cluster.model` and others name them by id. */
  models: z.array(modelShapeSpec).max(16).optional(),
  /** Router and admission by id with their own parameters. */
  policy: z.strictObject({
    router: z.string(),
    router_parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
    admission: admissionSpec.optional(),
    /** Absent: one router that sees the true prefix caches. */
    view: routerViewSpec.optional(),
    /** How hard requests are, where models of several sizes serve them. */
    complexity: complexitySpec.optional(),
  }),
  slo: sloSpec,
  /** Crashes, slow instances, drains …: what happens to the cluster meanwhile, in any order. */
  timeline: z.array(timelineEvent).optional(),
  health: healthSpec.optional(),
  autoscaling: autoscalingSpec.optional(),
  seed: z.int().min(0).max(0xffffffff),
  /** Replicates, each with its own seeds derived from `seed`. */
  iterations: count,
  detail: detailSpec,
  /** What of the run is measured; absent: found by itself (`record/steadyWindow.ts`). */
  measurement: measurementSpec.optional(),
});
export type RunSpec = z.infer<typeof currentRunSpec>;

/** Reads a run spec of this version or of an earlier one. */
export const runSpec = z.preprocess(upgradedSpec, currentRunSpec);
