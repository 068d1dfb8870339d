import type { Seconds } from '../../units.ts';

/**
 * Retry-After (RFC 9110 10.2.3): seconds, or an HTTP date, which is compared with the Date of the same answer so that the two
 * machines' clocks need not agree. Undefined where it is absent or neither.
 */
export function retryAfterSeconds(value: string | undefined, date: string | undefined): Seconds | undefined {
  if (value === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value);
  const then = Date.parse(value);
  const now = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(then) || Number.isNaN(now) ? undefined : Math.max(0, (then - now) / 1000);
}
