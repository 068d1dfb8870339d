import { z } from 'zod';
import { engineId, sloSpec, trafficSpec } from '../../run/spec.ts';

/**
 * A sweep: one target at many settings. The document holds everything that decides which points are tried and what they
 * give, so that a sweep that was interrupted goes on where it stood, and the same document gives the same points.
 */

const value = z.union([z.number(), z.string(), z.boolean()]);

/**
 * What varies. `parameter` names one of the target's parameters, or `variant`; with a recorded trace also `speedup`.
 * A range is continuous (whole numbers where the parameter is) unless `steps` says how many values a grid takes of it.
 */
export const axisSpec = z.union([
  z.strictObject({ parameter: z.string().min(1), values: z.array(value).min(1).max(10_000) }),
  z.strictObject({
    parameter: z.string().min(1),
    min: z.number(),
    max: z.number(),
    steps: z.int().min(2).max(10_000).optional(),
    /** Equal ratios instead of equal differences. */
    log: z.boolean().optional(),
  }),
]);
export type AxisSpec = z.infer<typeof axisSpec>;

export const searchSpec = z.discriminatedUnion('kind', [
  /** Every combination; a range needs `steps`. */
  z.strictObject({ kind: z.literal('grid') }),
  /** Latin hypercube: each axis is covered evenly. */
  z.strictObject({ kind: z.literal('random'), budget: z.int().min(1).max(1_000_000) }),
  /** Tree-structured Parzen estimators over the points tried so far. */
  z.strictObject({ kind: z.literal('bayesian'), budget: z.int().min(1).max(100_000) }),
]);
export type SearchSpec = z.infer<typeof searchSpec>;

/** `goodput_rps` per GPU, `ttft_ms.p99`: a figure of the summary, and which way is better. */
export const objectiveSpec = z.strictObject({
  metric: z.string().min(1),
  per: z.enum(['run', 'gpu']).default('run'),
  better: z.enum(['lower', 'higher']),
});
export type ObjectiveSpec = z.infer<typeof objectiveSpec>;

/** A point that breaks one is kept and shown, but never on the front. */
export const constraintSpec = z.strictObject({
  metric: z.string().min(1),
  per: z.enum(['run', 'gpu']).default('run'),
  op: z.enum(['<=', '>=']),
  value: z.number(),
});
export type ConstraintSpec = z.infer<typeof constraintSpec>;

export const sweepSpec = z.strictObject({
  schema: z.literal(1),
  target: z.string(),
  engine: engineId,
  /** Where no axis is called `variant`. */
  variant: z.string(),
  /** Parameters that stay. */
  parameters: z.record(z.string(), value),
  /** A recorded trace in place of generated traffic. */
  traffic: trafficSpec.optional(),
  slo: sloSpec.default({}),
  /** Of every run: common random numbers for all points. Also of the search. */
  seed: z.int().min(0).max(0xffffffff),
  /** Replicates of each point. */
  iterations: z.int().min(1).max(1000).default(1),
  axes: z.array(axisSpec).min(1).max(32),
  search: searchSpec,
  objectives: z.array(objectiveSpec).min(1).max(4),
  constraints: z.array(constraintSpec).max(16).default([]),
});
export type SweepSpec = z.infer<typeof sweepSpec>;
