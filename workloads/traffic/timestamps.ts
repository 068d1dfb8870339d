/** A time in text, `2023-11-16 18:17:03.9799600+00:00`, as whole seconds since 1970 and nanoseconds: exact to nine decimals. */
export class Timestamp {
  second = 0;
  nanosecond = 0;

  /** A blank or `T` between date and time; nothing, ` UTC`, `Z`, `+hh:mm` or `+hhmm` at the end. False for anything else. */
  parse(text: string): boolean {
    const found = pattern.exec(text);
    if (found === null) return false;
    const [, y, mo, d, h, mi, s, fraction = '', zone] = found;
    const [year, month, day] = [Number(y), Number(mo), Number(d)];
    const [hour, minute, second] = [Number(h), Number(mi), Number(s)];
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return false;
    if (hour > 23 || minute > 59 || second > 59) return false;
    const offset = offsetSeconds(zone);
    if (offset === undefined) return false;
    this.nanosecond = Number(fraction.padEnd(9, '0'));
    this.second = daysSince1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    return true;
  }
}

const pattern =
  /^(\d{4})[-/](\d{2})[-/](\d{2})[ T](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?$/;

function offsetSeconds(zone: string | undefined): number | undefined {
  if (zone === undefined || zone === 'Z' || zone === 'UTC') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone[0] === '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
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
