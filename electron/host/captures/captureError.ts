import type { HostError } from '../../contract/hostError.ts';

/** The failure of a capture or an import: one clear line, and a hint. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  readonly code: 'bad_input' | 'missing' | 'failed' | 'cancelled';
  readonly hint: string | undefined;
  /** Copyable: the end of a tool's log. */
  readonly detail: string | undefined;

  constructor(
    code: CaptureError['code'],
    message: string,
    more: { readonly hint?: string; readonly detail?: string } = {},
  ) {
    super(message);
    this.code = code;
    this.hint = more.hint;
    this.detail = more.detail;
  }

  /** As it crosses to the window or the command line. */
  toHostError(): HostError {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.detail === undefined ? {} : { detail: this.detail }),
    };
  }
}

/** A file that is not what its name says, or is damaged: the importers' one way to give up. */
export const badFile = (path: string, problem: string, hint?: string): CaptureError =>
  new CaptureError('bad_input', `${path}: ${problem}`, hint === undefined ? {} : { hint });
