import { z } from 'zod';

/**
 * How an instance schedules. Absent in a spec: continuous batching with chunked prefill, first come first served, preemption
 * by recomputation.
 */

const count = z.int().positive();
const positive = z.number().positive();
/** Nanoseconds of head start per nanosecond waited: 0 starves long jobs for ever, 1 weighs waiting like work. */
const aging = z.number().min(0).max(1000).default(0);
/** A request that cannot meet its deadline any more waits behind all that can. */
const lateLast = z.boolean().default(true);
/** Standard deviation of ln(predicted ÷ true output length). What knows the length exactly is called an oracle. */
const predictorError = z.number().gt(0).max(3);

/** Which waiting request comes next. */
export const orderSpec = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('fcfs') }),
  /** Fewest prompt tokens first: needs no prediction. */
  z.strictObject({ kind: z.literal('shortest_prompt'), aging }),
  /** Least unloaded service time first, from the prompt and a predicted output length. */
  z.strictObject({ kind: z.literal('shortest_job'), aging, predictor_error: predictorError }),
  /** The same with the true output length, which no scheduler can know: for study only. */
  z.strictObject({ kind: z.literal('oracle_shortest_job'), aging }),
  /** Earliest TTFT deadline first. */
  z.strictObject({ kind: z.literal('earliest_deadline'), late_last: lateLast }),
  /** Least time to spare first: deadline less the time that the prompt takes. */
  z.strictObject({ kind: z.literal('least_slack'), late_last: lateLast }),
  /** Classes in their order, each first come first served. */
  z.strictObject({ kind: z.literal('class_priority') }),
]);
export type OrderSpec = z.infer<typeof orderSpec>;

/** A class of requests with its own objective; each request's class is drawn from the seed by the shares. */
export const requestClassSpec = z.strictObject({
  name: z.string().min(1),
  share: positive,
  /** Deadline of the first token after arrival. */
  ttft_ms: positive,
  /** While a request of this class is in the batch, prompt chunks are cut so that a pass takes about this long. */
  pass_ms: positive.optional(),
});
export type RequestClassSpec = z.infer<typeof requestClassSpec>;

/** What becomes of a request that must give its KV blocks up. */
export const preemptionSpec = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('recompute') }),
  /** Copied to host memory and back, in order; the copies hold up the pass that they belong to, as in vLLM V0. */
  z.strictObject({
    kind: z.literal('swap'),
    bandwidth_gb_per_s: positive,
    latency_us: z.number().min(0),
    /** Host memory per instance; a request that finds it full is recomputed. */
    host_gb: positive,
  }),
]);
export type PreemptionSpec = z.infer<typeof preemptionSpec>;

/** Without an order that looks at them, classes only appear in the summary, as shares of deadlines met. */
const classes = z.array(requestClassSpec).min(1).optional();
const continuous = {
  order: orderSpec.default({ kind: 'fcfs' }),
  preemption: preemptionSpec.default({ kind: 'recompute' }),
  classes,
};

export const schedulerPolicySpec = z.discriminatedUnion('kind', [
  /** vLLM V1: every pass gives each sequence a token, and what the token budget leaves to chunks of prompts. */
  z.strictObject({ kind: z.literal('chunked_prefill'), ...continuous }),
  /** vLLM V0: whole prompts first, in passes of their own, while decoding stands still. */
  z.strictObject({ kind: z.literal('prefill_first'), ...continuous }),
  /**
   * The naive queue drain: a batch is formed, padded to its longest prompt, and runs until its longest answer ends; no request
   * joins meanwhile.
   */
  z.strictObject({
    kind: z.literal('static'),
    /** Requests per batch; of all buckets where there are none. */
    batch: count,
    /** A batch that is not full starts this long after its oldest request arrived. */
    wait_ms: z.number().min(0),
    classes,
    /** Batches are formed within a bucket: the first whose bound is not below prompt + predicted output tokens. */
    buckets: z
      .strictObject({
        predictor_error: predictorError,
        list: z.array(z.strictObject({ name: z.string().min(1), up_to_tokens: count, batch: count })).min(1),
      })
      .optional(),
  }),
]);
export type SchedulerPolicySpec = z.infer<typeof schedulerPolicySpec>;
