import { z } from 'zod';

/** What the CPU does between two passes: scheduling, inputs, sampled tokens, detokenising. */
export const hostSpec = z.strictObject({
  us_per_pass: z.number().min(0),
  us_per_sequence: z.number().min(0),
  /** Done for one pass while another one runs; else the GPU waits for it. */
  overlapped: z.boolean(),
});
export type HostSpec = z.infer<typeof hostSpec>;
