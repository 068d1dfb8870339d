import { z } from 'zod';

/**
 * What of a run a capture records. `simulated`: from one simulated time to another, ns on the run's clock (first replicate):
 * the run is replayed whole, and is the same, since simulated time knows nothing of the profiler. `rounds`: measured rounds of
 * a run of kernels, from one to another inclusive: the same work again, whose times are the profiler's.
 */
export const captureInterval = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('simulated'), from_ns: z.number().min(0), to_ns: z.number().positive() }),
  z.strictObject({ kind: z.literal('rounds'), from: z.int().min(0), to: z.int().min(0) }),
]);
export type CaptureInterval = z.infer<typeof captureInterval>;

/** The NVTX range that the runner opens around it, and that the profiler waits for. */
export const intervalRange = 'interval';

export const intervalText = (interval: CaptureInterval): string =>
  interval.kind === 'simulated'
    ? `simulated time ${seconds(interval.from_ns)} to ${seconds(interval.to_ns)} s; the whole run is replayed and is the same, since simulated time does not depend on the host's`
    : `rounds ${interval.from} to ${interval.to} of each variant, run again: the same work, and times that the profiler slows`;

const seconds = (ns: number): string => (ns / 1e9).toFixed(3);
