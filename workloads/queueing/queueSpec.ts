import { InputError } from '../run/inputError.ts';

/** A queue on paper: G/G/c with a discipline, in units of the mean service time. */
export interface QueueSpec {
  readonly arrivals: ArrivalProcess;
  readonly service: ServiceLaw;
  readonly servers: number;
  readonly discipline: Discipline;
  /** Offered load per server, λ E[S] / c. At least 1 only makes sense with a capacity. */
  readonly rho: number;
  /** Arrivals measured, after the warm-up. */
  readonly n: number;
  readonly seed: number;
  /** Most jobs in the system, in service included; an arrival beyond that is lost. */
  readonly capacity?: number;
  /** Most important first. */
  readonly classes?: readonly JobClass[];
  /** Arrivals before the measured ones; a tenth of n where absent, none for a trace. */
  readonly warmup?: number;
}

export type ArrivalProcess =
  | { readonly kind: 'poisson' }
  | { readonly kind: 'deterministic' }
  | { readonly kind: 'gamma'; readonly cv: number }
  /** Recorded arrival times, ascending, in any unit: they are scaled to the load. */
  | { readonly kind: 'trace'; readonly times: Float64Array };

/** Service times, mean 1. */
export type ServiceLaw =
  | { readonly kind: 'exp' }
  | { readonly kind: 'det' }
  /** Exponential with mean m1 with probability p, else with mean m2; scaled to mean 1. */
  | { readonly kind: 'h2'; readonly p: number; readonly m1: number; readonly m2: number }
  | { readonly kind: 'lognormal'; readonly cv: number }
  | { readonly kind: 'gamma'; readonly cv: number };

export const disciplines = [
  { id: 'fcfs', meaning: 'first come, first served' },
  { id: 'sjf', meaning: 'shortest job first, not interrupted' },
  { id: 'srpt', meaning: 'shortest remaining time first, interrupting' },
  { id: 'ps', meaning: 'processor sharing: all jobs at once, each with an equal share' },
  {
    id: 'priority',
    meaning: 'most important class first, not interrupted; in a class first come, first served',
  },
  { id: 'lifo', meaning: 'last come, first served, not interrupted' },
] as const;
export type Discipline = (typeof disciplines)[number]['id'];

export interface JobClass {
  /** Of the arrivals. */
  readonly share: number;
  /** Mean service time relative to the other classes. */
  readonly mean: number;
}

/** All jobs of a run are held as columns: 24 bytes each, 480 MB. */
export const maxJobs = 20_000_000;
export const maxServers = 100_000;
const maxClasses = 255;

/** Throws InputError where the queue cannot be; every message says what was expected. */
export function checkQueue(spec: QueueSpec): void {
  const whole = (name: string, value: number, low: number, high: number): void => {
    if (!(Number.isInteger(value) && value >= low && value <= high)) {
      throw new InputError(`${name} ${value}, expected an integer from ${low} to ${high}`);
    }
  };
  whole('servers', spec.servers, 1, maxServers);
  whole('n', spec.n, 1, maxJobs);
  whole('seed', spec.seed, 0, 0xffffffff);
  whole('warmup', spec.warmup ?? 0, 0, maxJobs - spec.n);
  if (spec.capacity !== undefined) whole('capacity', spec.capacity, spec.servers, maxJobs);
  if (!(spec.rho > 0 && spec.rho < 1000)) throw new InputError(`rho ${spec.rho}, expected a load above 0`);
  // Only where nothing is left to chance does a full load not queue.
  const clockwork =
    spec.arrivals.kind === 'deterministic' && spec.service.kind === 'det' && spec.classes === undefined;
  if ((clockwork ? spec.rho > 1 : spec.rho >= 1) && spec.capacity === undefined) {
    throw new InputError(
      `rho ${spec.rho} without a capacity: the queue grows for ever, expected rho below 1 or --capacity`,
    );
  }
  if (spec.capacity !== undefined && (spec.discipline === 'ps' || spec.discipline === 'srpt')) {
    throw new InputError(`capacity with ${spec.discipline}, expected fcfs, sjf, priority or lifo`);
  }
  if (spec.discipline === 'priority' && (spec.classes?.length ?? 0) < 2) {
    throw new InputError('priority without classes, expected at least two, like --classes 0.3,0.7');
  }
  if (spec.arrivals.kind === 'trace') {
    const { times } = spec.arrivals;
    const first = times[0] ?? 0;
    if (!(times.length >= 2 && (times.at(-1) ?? first) > first)) {
      throw new InputError(
        `a trace of ${times.length} arrivals over no time, expected at least two at different times`,
      );
    }
    whole('n plus warmup', spec.n + (spec.warmup ?? 0), 1, times.length);
  }
}

/** `poisson`, `deterministic`, `gamma:2`; a trace comes with its times. */
export function parseArrivals(text: string): ArrivalProcess {
  if (text === 'poisson' || text === 'deterministic') return { kind: text };
  const [name, ...values] = numbersOf(text);
  if (name === 'gamma' && values.length <= 1)
    return { kind: 'gamma', cv: positive('arrivals', text, values[0] ?? 2) };
  throw new InputError(`arrivals "${text}", expected poisson, deterministic, gamma:CV or trace`);
}

/** `exp`, `det`, `h2:0.9,0.5,5.5`, `lognormal:1`, `gamma:0.5`; without figures those shown here. */
export function parseService(text: string): ServiceLaw {
  if (text === 'exp' || text === 'det') return { kind: text };
  const [name, ...values] = numbersOf(text);
  if (name === 'lognormal' && values.length <= 1)
    return { kind: name, cv: positive('service', text, values[0] ?? 1) };
  if (name === 'gamma' && values.length <= 1)
    return { kind: name, cv: positive('service', text, values[0] ?? 0.5) };
  if (name === 'h2' && (values.length === 0 || values.length === 3)) {
    const [p = 0.9, m1 = 0.5, m2 = 5.5] = values;
    if (!(p >= 0 && p <= 1))
      throw new InputError(`service "${text}": P is ${p}, expected a probability from 0 to 1`);
    return { kind: 'h2', p, m1: positive('service', text, m1), m2: positive('service', text, m2) };
  }
  throw new InputError(`service "${text}", expected exp, det, h2:P,M1,M2, lognormal:CV or gamma:CV`);
}

export function parseDiscipline(text: string): Discipline {
  const found = disciplines.find((d) => d.id === text);
  if (found !== undefined) return found.id;
  throw new InputError(`discipline "${text}", expected one of ${disciplines.map((d) => d.id).join(', ')}`);
}

/**
 * Shares of the arrivals, most important class first, each with a relative mean service time: `0.3,0.7` or `0.3:1,0.7:4`.
 * A whole number from 2 stands for so many classes of equal share.
 */
export function parseClasses(text: string): readonly JobClass[] {
  const equal = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (equal >= 2 && equal <= maxClasses)
    return Array.from({ length: equal }, () => ({ share: 1 / equal, mean: 1 }));
  const classes = text.split(',').map((part) => {
    const match = /^([\d.]+)(?::([\d.]+))?$/.exec(part.trim());
    const share = Number(match?.[1]);
    const mean = Number(match?.[2] ?? 1);
    if (!(share > 0 && mean > 0 && mean < Number.POSITIVE_INFINITY)) {
      throw new InputError(
        `classes "${text}": "${part}", expected a share above 0, or share:mean service time`,
      );
    }
    return { share, mean };
  });
  const sum = classes.reduce((total, c) => total + c.share, 0);
  if (classes.length > maxClasses)
    throw new InputError(`${classes.length} classes, expected at most ${maxClasses}`);
  if (!(Math.abs(sum - 1) < 1e-6))
    throw new InputError(`classes "${text}" sum to ${sum}, expected shares that sum to 1`);
  return classes;
}

/** `h2:0.9,0.5,5.5` -> ['h2', 0.9, 0.5, 5.5] */
function numbersOf(text: string): [string, ...number[]] {
  const colon = text.indexOf(':');
  if (colon < 0) return [text];
  const values = text.slice(colon + 1).split(',');
  return [text.slice(0, colon), ...values.map((v) => (v.trim() === '' ? Number.NaN : Number(v)))];
}

function positive(what: string, text: string, value: number): number {
  if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new InputError(`${what} "${text}": ${value}, expected a number above 0`);
}
