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
    const store = storeErrorOf(thrown.message);
    if (store !== undefined) return { ...store, detail: thrown.message };
    return {
      code: 'internal',
      message: thrown.message,
      ...(thrown.stack === undefined ? {} : { detail: thrown.stack }),
    };
  }
  return { code: 'internal', message: String(thrown) };
}

/** What the database says about a file of a run that it cannot read, as a line of ours; undefined for anything else. */
function storeErrorOf(message: string): HostError | undefined {
  const found =
    /^(?:IO|Invalid Input|Invalid|Conversion|Serialization|Binder|Catalog|Out of Range|Fatal|INTERNAL) Error:\s*(.*)/.exec(
      message,
    );
  if (found === null) return undefined;
  const isSpace = /no space left|disk quota/i.test(message);
  const isFiles = /too many open files/i.test(message);
  return {
    code: isSpace || isFiles ? 'failed' : 'bad_input',
    message: isSpace
      ? 'the disk is full'
      : isFiles
        ? 'too many open files'
        : `a table of the run could not be read: ${found[1] ?? ''}`,
    hint: 'The other tables of the run can still be read.',
  };
}

/** Exit status of the command line for an error. */
export const exitStatusOf = (error: HostError): 1 | 2 | 3 =>
  error.code === 'bad_input' || error.code === 'not_found' ? 2 : error.code === 'missing' ? 3 : 1;
