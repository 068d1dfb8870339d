import { z } from 'zod';

const positive = z.number().positive();

/** A service class: what it was promised, and what is kept free for it. */
export const tierSpec = z.strictObject({
  name: z.string().min(1),
  /** Objectives of this tier's requests; where absent, the run's. */
  ttft_ms: positive.optional(),
  tpot_ms: positive.optional(),
  /** Share of the capacity that is kept for this tier whatever the others send. */
  reserved: z.number().min(0).max(1).optional(),
  /** A request that no instance has begun to compute this long after its intended arrival is given up. */
  deadline_ms: positive.optional(),
});
export type TierSpec = z.infer<typeof tierSpec>;

/** Admission policy. Absent: every request is admitted, and neither classes nor load are recorded. */
export const admissionSpec = z
  .strictObject({
    /** Id of a policy in `serving/admission/admissions.ts`, with its own parameters. */
    policy: z.string(),
    parameters: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
    /** Most important first. Absent: one tier with the run's objectives. */
    tiers: z.array(tierSpec).min(1).max(16).optional(),
    /**
     * Shares with which requests are dealt to the tiers, drawn from a stream of its own. Absent: the traffic's priority is
     * the tier (0 the first one; whatever lies beyond belongs to the last).
     */
    tier_mix: z.array(z.number().min(0)).optional(),
    /** A refused client comes back after the time that it was told, plus up to `jitter` of it, at most so often. */
    retries: z
      .strictObject({ most: z.int().min(0).max(100), jitter: z.number().min(0).max(1).default(0.2) })
      .optional(),
  })
  .refine((a) => (a.tiers ?? []).reduce((sum, t) => sum + (t.reserved ?? 0), 0) <= 1 + 1e-9, {
    message: 'the reserved shares of the tiers add up to more than 1',
    path: ['tiers'],
  })
  .refine(
    (a) =>
      a.tier_mix === undefined ||
      (a.tier_mix.length === (a.tiers?.length ?? 1) && a.tier_mix.some((share) => share > 0)),
    { message: 'expected one share per tier, at least one of them above 0', path: ['tier_mix'] },
  );
export type AdmissionSpec = z.infer<typeof admissionSpec>;
