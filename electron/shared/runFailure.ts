import { InputError } from '../../workloads/run/inputError.ts';
import type { HostError } from '../contract/hostError.ts';

/** An error with its code and hint, on its way to becoming a value. */
export class RunFailure extends Error {
  override readonly name = 'RunFailure';
  readonly error: HostError;

  constructor(error: HostError) {
    super(error.message);
    this.error = error;
  }
}

/** Whatever was thrown, as a value: bad input stays bad input, a missing file says so, the rest keeps its stack. */
export function asHostError(thrown: unknown): HostError {
  if (thrown instanceof RunFailure) return thrown.error;
  if (thrown instanceof InputError) return { code: 'bad_input', message: thrown.message };
  if (thrown instanceof Error) {
    if (/allocation failed|Invalid (typed )?array length|out of memory/i.test(thrown.message)) {
      return {
        code: 'failed',
        message: `out of memory: ${thrown.message}`,
        hint: 'Keep less detail (--detail none), or a smaller --limit.',
        ...(thrown.stack === undefined ? {} : { detail: thrown.stack }),
      };
    }
    return {
      code: 'internal',
      message: thrown.message,
      ...(thrown.stack === undefined ? {} : { detail: thrown.stack }),
    };
  }
  return { code: 'internal', message: String(thrown) };
}

/** Exit status of the command line for an error. */
export const exitStatusOf = (error: HostError): 1 | 2 | 3 =>
  error.code === 'bad_input' || error.code === 'not_found' ? 2 : error.code === 'missing' ? 3 : 1;
