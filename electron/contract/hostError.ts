import { z } from 'zod';

export const hostError = z.object({
  /** `bad_input` (exit 2), `missing` (exit 3), `failed` (exit 1), `not_found`, `cancelled`, `internal`. */
  code: z.enum(['bad_input', 'missing', 'failed', 'not_found', 'cancelled', 'internal']),
  /** The failure and its place, one sentence. */
  message: z.string(),
  /** The next step for the user. */
  hint: z.string().optional(),
  /** Copyable detail: a stack, a tool's output. */
  detail: z.string().optional(),
});
export type HostError = z.infer<typeof hostError>;
