import type { DoctorCheck } from '../../../contract/machine.ts';

/** The result of a check. `remedy` is one exact line; a state other than `ok` has one wherever there is a remedy. */
export interface Finding {
  readonly state: DoctorCheck['state'];
  readonly found: string;
  readonly remedy?: string;
}

export interface Check {
  readonly id: string;
  readonly title: string;
  /** Its purpose: the end of a sentence that starts with "Needed for". */
  readonly neededFor: string;
  readonly look: () => Promise<Finding>;
}

export const ok = (found: string): Finding => ({ state: 'ok', found });
export const limited = (found: string, remedy?: string): Finding => ({
  state: 'limited',
  found,
  ...(remedy === undefined ? {} : { remedy }),
});
export const missing = (found: string, remedy?: string): Finding => ({
  state: 'missing',
  found,
  ...(remedy === undefined ? {} : { remedy }),
});

/** Runs a check under a time limit. A check that hangs or throws is a finding too. */
export async function report(check: Check, limitMs: number): Promise<DoctorCheck> {
  const { state, found, remedy } = await before(
    limitMs,
    check
      .look()
      .catch((error: unknown) =>
        limited(`the check itself failed: ${error instanceof Error ? error.message : String(error)}`),
      ),
    () => limited(`no answer within ${(limitMs / 1000).toFixed(1)} s: it hangs, or the machine is very busy`),
  );
  const purpose = `Needed for ${check.neededFor}.`;
  return {
    id: check.id,
    title: check.title,
    state,
    found,
    advice: remedy === undefined ? purpose : `${purpose} ${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}`,
  };
}

/** The promise's value, or another one when it is not there in time. */
export async function before<T>(limitMs: number, promise: Promise<T>, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(late()), limitMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
