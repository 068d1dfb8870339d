import { z } from 'zod';
import { poolRole } from './poolRole.ts';

const count = z.int().positive();
const instance = z.int().min(0);
const at = { at_s: z.number().min(0) };

/** What happens to the cluster while it serves, at times given from the start of each replicate. */
export const timelineEvent = z.discriminatedUnion('event', [
  /** The instance is gone: its KV cache, its queue and its batch are lost, its requests go back to the router. */
  z.strictObject({ event: z.literal('crash'), ...at, instance }),
  /** A crashed instance starts again, empty, and serves after `startup_s`. */
  z.strictObject({ event: z.literal('recover'), ...at, instance, startup_s: z.number().min(0).default(0) }),
  /** Each pass that starts from now on takes `factor` times as long; 1 is healthy again. */
  z.strictObject({ event: z.literal('slow'), ...at, instance, factor: z.number().positive() }),
  /** Bandwidth of an instance's links, or of all links, times `factor`; 1 is healthy again. */
  z.strictObject({
    event: z.literal('link'),
    ...at,
    instance: instance.optional(),
    factor: z.number().positive(),
  }),
  /** The instance is sent nothing new and ends what it has. */
  z.strictObject({ event: z.literal('drain'), ...at, instance }),
  /** A drained or draining instance is sent requests again. */
  z.strictObject({ event: z.literal('resume'), ...at, instance }),
  /** The instance drains and then works for another pool. */
  z.strictObject({ event: z.literal('role'), ...at, instance, pool: poolRole }),
]);
export type TimelineEvent = z.infer<typeof timelineEvent>;

/** How the router learns that an instance is gone. What is planned (drain, start, role) it knows at once. */
export const healthSpec = z.strictObject({
  /** From a crash until the health check reports it; a router with a telemetry refresh learns of it with the next one. */
  detection_s: z.number().min(0).default(0),
  /** From a broken or refused connection until the request is routed again. */
  retry_ms: z.number().positive().default(1),
  /** Broken or refused connections in a row after which the router itself takes the instance out; 0: never. */
  breaker_failures: z.int().min(0).default(0),
});
export type HealthSpec = z.infer<typeof healthSpec>;

export const scaledPool = z.strictObject({
  pool: poolRole,
  /** Instances of this pool that serve at the start; the others of `cluster.instances` are off. */
  initial: count,
  min: count,
  max: count,
});
export type ScaledPool = z.infer<typeof scaledPool>;

/**
 * How many instances serve. `static` leaves the initial ones on; the others decide once per interval, after NVIDIA Dynamo's
 * planner:
 *
 *   load   one more where the prompts that wait, in seconds of prefill, or the KV use pass their upper threshold,
 *          one less where both are below the lower one
 *   sla    as many as the rate and lengths of the last interval need for the TTFT and TPOT objectives, from the profile
 */
export const autoscalingSpec = z.strictObject({
  policy: z.enum(['static', 'load', 'sla']),
  pools: z.array(scaledPool).min(1),
  interval_s: z.number().positive(),
  /** From the decision to the first request: machine, image, weights, warm-up. It is paid for. */
  startup_s: z.number().min(0),
  /** No scaling down for so long after any change. */
  cooldown_s: z.number().min(0),
  load: z
    .strictObject({
      queue_up_s: z.number().positive(),
      queue_down_s: z.number().min(0),
      kv_up: z.number().gt(0).max(1),
      kv_down: z.number().min(0).max(1),
    })
    .optional(),
  sla: z
    .strictObject({
      /** Share of the predicted capacity that is planned for; the rest is for bursts. */
      target_load: z.number().gt(0).max(1),
    })
    .optional(),
});
export type AutoscalingSpec = z.infer<typeof autoscalingSpec>;
