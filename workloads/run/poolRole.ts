import { z } from 'zod';

/** What an instance works on: prompts only, output tokens only, or both. */
export const poolRole = z.enum(['prefill', 'decode', 'mixed']);
export type PoolRole = z.infer<typeof poolRole>;
