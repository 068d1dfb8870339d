import type { TimeUnit } from '../../run/timeUnits.ts';
import { unitNs } from '../../run/timeUnits.ts';

export type UnitFinding =
  | { readonly unit: TimeUnit; readonly because: 'given' | 'name' | 'dialect' | 'values' }
  /** The values contradict what the dialect expects; `reason` says how. */
  | { readonly unit?: never; readonly reason: string };

/** Rates that a serving system sees: below one request in 100 s, or above, a unit was probably taken for another. */
const highestRate = 1000;
const lowestRate = 0.01;
/** Times with fractions are rarely milliseconds: above this rate they are asked about. */
const highestFractionalRate = 100;

/**
 * The unit of numeric times. Times since 1970 tell by their size; others are taken in the dialect's unit, unless the rate of
 * requests that follows is one that no serving system sees.
 */
export function unitOf(
  times: readonly number[],
  dialect: { readonly unit: TimeUnit; readonly unitVaries: boolean },
): UnitFinding {
  const [first] = times;
  if (first === undefined) return { unit: dialect.unit, because: 'dialect' };
  const epoch = epochUnit(Math.min(...times));
  if (epoch !== undefined) return { unit: epoch, because: epoch === dialect.unit ? 'dialect' : 'values' };
  const span = Math.max(...times) - Math.min(...times);
  if (times.length < 3 || span === 0) return { unit: dialect.unit, because: 'dialect' };
  const rate = (unit: TimeUnit): number => (times.length - 1) / ((span * unitNs[unit]) / 1e9);
  const own = rate(dialect.unit);
  const isFractional = times.some((time) => !Number.isInteger(time));
  if (dialect.unitVaries && isFractional && dialect.unit === 'ms' && own > highestFractionalRate) {
    const inSeconds = rate('s');
    if (own > highestRate && inSeconds <= highestFractionalRate && inSeconds >= lowestRate)
      return { unit: 's', because: 'values' };
    return { reason: rates(own, dialect.unit, rate) };
  }
  const isFew = times.length < 10;
  if (own > highestRate && !isFew) return { reason: rates(own, dialect.unit, rate) };
  if (own < lowestRate && !isFew && dialect.unitVaries) return { reason: rates(own, dialect.unit, rate) };
  return { unit: dialect.unit, because: 'dialect' };
}

const shown = (rate: number): string =>
  rate >= 0.1 && rate < 1e6 ? String(Number(rate.toPrecision(4))) : rate.toPrecision(3);

function rates(own: number, unit: TimeUnit, rate: (unit: TimeUnit) => number): string {
  const others = (['s', 'ms', 'us', 'ns'] as const)
    .filter((other) => other !== unit && rate(other) <= highestRate * 10 && rate(other) >= lowestRate / 10)
    .map((other) => `${shown(rate(other))} in ${other}`);
  return `${shown(own)} requests/s if its times are in ${unit}${others.length === 0 ? '' : `, ${others.join(', ')}`}`;
}

/** A number of units since 1970 that lies between 2001 and 2100. */
export function epochUnit(time: number): TimeUnit | undefined {
  return (['s', 'ms', 'us', 'ns'] as const).find((unit) => {
    const seconds = (time * unitNs[unit]) / 1e9;
    return seconds >= 1e9 && seconds < 4.1e9;
  });
}
