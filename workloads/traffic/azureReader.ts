import { InputError } from '../run/inputError.ts';
import { digits, forEachLine, shown } from './lines.ts';
import type { Traffic } from './traffic.ts';
import { maxTokens, TrafficBuilder } from './trafficBuilder.ts';

export const azureHeader = 'TIMESTAMP,ContextTokens,GeneratedTokens';

/**
 * Reads the trace format of AzurePublicDataset (2023 and 2024), a CSV file:
 *
 *   TIMESTAMP,ContextTokens,GeneratedTokens
 *   2023-11-16 18:17:03.9799600,4808,10
 *
 * Times are exact to the nanosecond (up to nine decimals; an offset like `+00:00` or `Z` is allowed); lengths in tokens.
 * It knows no prefixes. Requests may come out of order; they are sorted by time.
 */
export async function readAzure(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  options: { readonly limit?: number; readonly progress?: (bytesRead: number) => void } = {},
): Promise<Traffic> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const builder = new TrafficBuilder(name, 0);
  const time = new Timestamp();
  let header = true;
  let firstSecond = 0;

  await forEachLine(
    name,
    chunks,
    (bytes, start, end, number) => {
      const bad = (found: string, expected: string): never => {
        throw new InputError(`${name}:${number}: ${found}, expected ${expected}`);
      };
      if (header) {
        header = false;
        if (!equals(bytes, start, end, azureHeader)) bad('another first line', `the header ${azureHeader}`);
        return true;
      }
      const one = bytes.indexOf(44, start);
      const two = one < 0 || one >= end ? -1 : bytes.indexOf(44, one + 1);
      if (two < 0 || two >= end) return bad(shown(bytes, start, end), 'three columns');
      const tokens = (column: string, from: number, to: number): number => {
        const value = digits(bytes, from, to);
        return value >= 1 && value <= maxTokens
          ? value
          : bad(`${column} is ${shown(bytes, from, to)}`, `an integer 1 to ${maxTokens}`);
      };
      if (!time.parse(bytes, start, one)) {
        bad(`TIMESTAMP is ${shown(bytes, start, one)}`, 'a time like 2023-11-16 18:17:03.9799600');
      }
      const prompt = tokens('ContextTokens', one + 1, two);
      const output = tokens('GeneratedTokens', two + 1, end);
      if (builder.requests === 0) firstSecond = time.second;
      builder.request((time.second - firstSecond) * 1e9 + time.nanosecond, prompt, output);
      return builder.requests < limit;
    },
    options.progress,
  );
  if (header) throw new InputError(`${name}:1: an empty file, expected the header ${azureHeader}`);
  if (builder.requests === 0) throw new InputError(`${name}:2: no request, expected one line per request`);
  return builder.traffic();
}

function equals(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** `2023-11-16 18:17:03.9799600` as whole seconds since 1970 and nanoseconds. */
class Timestamp {
  second = 0;
  nanosecond = 0;

  parse(bytes: Uint8Array, start: number, end: number): boolean {
    const field = (at: number, length: number): number =>
      start + at + length <= end ? digits(bytes, start + at, start + at + length) : -1;
    const isByte = (at: number, a: number, b = a): boolean =>
      start + at < end && (bytes[start + at] === a || bytes[start + at] === b);
    const year = field(0, 4);
    const month = field(5, 2);
    const day = field(8, 2);
    const hour = field(11, 2);
    const minute = field(14, 2);
    const second = field(17, 2);
    const separated =
      isByte(4, 45) && isByte(7, 45) && isByte(10, 32, 84) && isByte(13, 58) && isByte(16, 58);
    if (!separated || year < 1970 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month))
      return false;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;

    let at = start + 19;
    this.nanosecond = 0;
    if (at < end && bytes[at] === 46) {
      const from = ++at;
      let scale = 1e9;
      while (at < end) {
        const digit = (bytes[at] ?? 0) - 48;
        if (digit < 0 || digit > 9) break;
        scale /= 10;
        if (at - from >= 9) return false;
        this.nanosecond += digit * scale;
        at++;
      }
      if (at === from) return false;
    }
    const offset = offsetSeconds(bytes, at, end);
    if (offset === undefined) return false;
    this.second = daysSince1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    return true;
  }
}

/** Nothing, `Z` or `+hh:mm`; undefined for anything else. */
function offsetSeconds(bytes: Uint8Array, at: number, end: number): number | undefined {
  if (at === end || (end - at === 1 && bytes[at] === 90)) return 0;
  const sign = bytes[at] === 43 ? 1 : bytes[at] === 45 ? -1 : 0;
  if (sign === 0 || end - at !== 6 || bytes[at + 3] !== 58) return undefined;
  const hours = digits(bytes, at + 1, at + 3);
  const minutes = digits(bytes, at + 4, at + 6);
  return hours < 0 || hours > 23 || minutes < 0 || minutes > 59
    ? undefined
    : sign * (hours * 3600 + minutes * 60);
}

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

function daysIn(year: number, month: number): number {
  if (month === 2) return isLeap(year) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days of the proleptic Gregorian calendar since 1970-01-01 (Howard Hinnant's days_from_civil). */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}
