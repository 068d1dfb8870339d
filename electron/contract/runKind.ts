import { z } from 'zod';

/** The kinds of run: `serving` answers requests, `kernels` measures kernels on one GPU. */
export const runKindId = z.enum(['serving', 'kernels']);
export type RunKindId = z.infer<typeof runKindId>;
