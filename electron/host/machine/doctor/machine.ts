import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DoctorDeps } from './doctorDeps.ts';

/** `DoctorDeps` with the machine's own in every place that was left open. */
export interface Machine extends DoctorDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly procfs: string;
  readonly sysfs: string;
  readonly limitMs: number;
}

export const machineOf = (deps: DoctorDeps): Machine => ({
  ...deps,
  env: deps.env ?? process.env,
  procfs: deps.procfs ?? '/proc',
  sysfs: deps.sysfs ?? '/sys',
  limitMs: deps.limitMs ?? 3000,
});

/** A small text file of /proc or /sys, trimmed; undefined where it cannot be read. */
export function readSmall(...path: readonly string[]): string | undefined {
  try {
    return readFileSync(join(...path), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** CAP_SYS_ADMIN or CAP_PERFMON among the effective capabilities: what `root` means in a container. */
export function mayReadCounters(procfs: string): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)/m.exec(readSmall(procfs, 'self/status') ?? '')?.[1];
  if (mask === undefined) return false;
  const sysAdmin = 1n << 21n;
  const perfmon = 1n << 38n;
  return (BigInt(`0x${mask}`) & (sysAdmin | perfmon)) !== 0n;
}
