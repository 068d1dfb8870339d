/**
 * ncu's printed units to base units. Without `--print-units base` each column comes scaled as it suits its values, so the
 * unit row is always read. `byte`, `Kbyte` … are powers of 1000; times come as `nsecond` or `ns`; rates as `a/b`.
 */
const prefixes: Readonly<Record<string, number>> = {
  '': 1,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  K: 1e3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
};

/** Seconds are held as ns, like everywhere in Dyno. */
const times: Readonly<Record<string, number>> = {
  nsecond: 1,
  ns: 1,
  usecond: 1e3,
  us: 1e3,
  µs: 1e3,
  msecond: 1e6,
  ms: 1e6,
  second: 1e9,
  s: 1e9,
};

const counted = [
  'byte',
  'inst',
  'cycle',
  'sector',
  'request',
  'warp',
  'thread',
  'block',
  'register',
  'hz',
  'Hz',
  'FLOP',
  'op',
  'SM',
  'sample',
  'instance',
  'wave',
  'pass',
  'barrier',
  'event',
];

/** Factor to base units; undefined where the unit is not known. Percentages and plain counts stay as they are. */
export function unitFactor(unit: string): number | undefined {
  const text = unit.trim();
  if (text === '' || text === '%' || text === '(!) nan' || text === '##' || text === 'n/a') return 1;
  const slash = text.indexOf('/');
  if (slash >= 0) {
    const over = text.slice(slash + 1).trim();
    const top = unitFactor(text.slice(0, slash));
    // Rates are per second in base units, while a time alone is held in ns.
    const time = times[over];
    if (top === undefined) return undefined;
    return time === undefined ? top / (unitFactor(over) ?? 1) : (top * 1e9) / time;
  }
  const time = times[text];
  if (time !== undefined) return time;
  for (const base of counted) {
    if (text === base || text === `${base}s`) return 1;
    if (text.endsWith(base)) {
      const factor = prefixes[text.slice(0, -base.length)];
      if (factor !== undefined) return factor;
    }
  }
  // A prefix alone stands for a scaled plain number.
  return prefixes[text];
}
