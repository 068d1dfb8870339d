import { z } from 'zod';

/** Cost models beside roofline, rates and operators: coefficients that were fitted, and chance for queueing studies. */

const coefficient = z.number().min(0);

/** t = base + prefill × prompt tokens + pair × (query, key) pairs + decode × sequences + context × their context tokens. */
export const linearCost = z.strictObject({
  kind: z.literal('linear'),
  base_us: coefficient,
  prefill_us_per_token: coefficient,
  /** Causal attention of prompts grows with pairs; 0 leaves it to the tokens. */
  prefill_us_per_pair: coefficient.default(0),
  decode_us_per_sequence: coefficient,
  decode_us_per_context_token: coefficient,
});
export type LinearCostSpec = z.infer<typeof linearCost>;

const positive = z.number().positive();

/** Service times of a queueing study, ms. */
export const serviceSpec = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('deterministic'), mean_ms: positive }),
  z.strictObject({ kind: z.literal('exponential'), mean_ms: positive }),
  /** Exponential with one of two means: `short_share` of the requests are short. */
  z.strictObject({
    kind: z.literal('hyperexponential'),
    short_share: z.number().gt(0).lt(1),
    short_ms: positive,
    long_ms: positive,
  }),
  z.strictObject({ kind: z.literal('lognormal'), mean_ms: positive, cv: positive }),
  z.strictObject({ kind: z.literal('gamma'), mean_ms: positive, cv: positive }),
]);
export type ServiceSpec = z.infer<typeof serviceSpec>;

/** Each request is served alone for a time of its own, whatever its tokens: G/G/1 per instance. */
export const stochasticCost = z.strictObject({ kind: z.literal('stochastic'), service: serviceSpec });
export type StochasticCostSpec = z.infer<typeof stochasticCost>;
