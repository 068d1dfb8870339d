import { z } from 'zod';
import type { ClosedForm } from '../../workloads/queueing/closedForms.ts';
import type { QueueResult } from '../../workloads/queueing/queueBench.ts';

/** The queueing lab's question: as `dyno queue` takes it, at several loads. */
export const queueQuestion = z.object({
  arrivals: z.string().max(100),
  service: z.string().max(100),
  servers: z.int().min(1).max(100_000),
  discipline: z.string().max(20),
  rhos: z.array(z.number().positive()).min(1).max(40),
  n: z.int().min(1).max(5_000_000),
  seed: z.int().min(0).max(0xffffffff),
  capacity: z.int().min(1).max(20_000_000).optional(),
  classes: z.string().max(2000).optional(),
});
export type QueueQuestion = z.infer<typeof queueQuestion>;

export interface QueuePoint {
  readonly rho: number;
  readonly result: QueueResult;
  /** Absent where no formula is known. */
  readonly exact?: ClosedForm;
}
export interface QueueCurve {
  readonly points: readonly QueuePoint[];
}
