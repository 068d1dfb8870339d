// Errors of the native side as values: which call, which code, what to do.

export interface NativeError {
  /** A stable name: the driver's own (`CUDA_ERROR_OUT_OF_MEMORY`) or ours (`LIBRARY_NOT_FOUND`, `DRIVER_HUNG`, `CLOSED`). */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** The driver function that refused, and its number for the refusal. */
  readonly call?: string;
  readonly number?: number;
}

export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: NativeError };

export const success = <T>(value: T): Answer<T> => ({ ok: true, value });
export const failure = <T>(error: NativeError): Answer<T> => ({ ok: false, error });

interface RawError {
  readonly call?: string;
  readonly code: number;
  readonly name: string;
  readonly message: string;
  readonly hint: string;
}

/** The addon answers cold questions as JSON text, `{"error":…}` when it cannot: here text becomes a typed value. */
export function parseAnswer<T>(text: string): Answer<T> {
  const parsed = JSON.parse(text) as T | { readonly error: RawError };
  if (typeof parsed === 'object' && parsed !== null && 'error' in parsed) {
    const { call, code, name, message, hint } = parsed.error;
    return failure({ code: name, message, hint, ...(call === undefined ? {} : { call, number: code }) });
  }
  return success(parsed as T);
}
