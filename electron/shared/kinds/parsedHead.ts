import type { z } from 'zod';
import { InputError } from '../../../workloads/run/inputError.ts';

/** The parts of summary.json that a schema names. Throws InputError where one of them is not what it should be. */
export function parsedHead<T>(shape: z.ZodType<T>, summary: object): T {
  const parsed = shape.safeParse(summary);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InputError(`summary.json: damaged: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}
