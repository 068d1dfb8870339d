import { z } from 'zod';
import type { SweepPoint } from '../../workloads/harness/sweep/point.ts';
import type { SweepSpec } from '../../workloads/harness/sweep/sweepSpec.ts';
import { hostError } from './hostError.ts';

/** `interrupted`: points are missing and no process computes them; the sweep can be resumed. */
export const sweepState = z.enum(['running', 'done', 'cancelled', 'failed', 'interrupted']);

export const sweepInfo = z.object({
  sweep: z.string(),
  title: z.string(),
  target: z.string(),
  search: z.enum(['grid', 'random', 'bayesian']),
  state: sweepState,
  done: z.int().min(0),
  total: z.int().min(0),
  created: z.string(),
  elapsed_ms: z.number(),
  eta_ms: z.number().optional(),
  /** Runs at once; 0 while none. */
  jobs: z.int().min(0),
  folder: z.string(),
  error: hostError.optional(),
});
export type SweepInfo = z.infer<typeof sweepInfo>;

export interface SweepContents {
  readonly info: SweepInfo;
  readonly spec: SweepSpec;
  /** In the order in which the search asked for them. */
  readonly points: readonly SweepPoint[];
  /** Indices (`SweepPoint.index`) on the Pareto front, the first objective's best first. */
  readonly front: readonly number[];
}
