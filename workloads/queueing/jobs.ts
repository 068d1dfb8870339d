import { exactSum } from '../metrics/percentile.ts';
import { type Random, stream } from '../run/random.ts';
import type { ArrivalProcess, QueueSpec, ServiceLaw } from './queueSpec.ts';

/** The jobs of a run, as columns, in order of arrival. Time is in mean service times. */
export interface Jobs {
  readonly count: number;
  readonly arrival: Float64Array;
  readonly size: Float64Array;
  /** Class of each job, 0 = most important; absent where there are no classes. */
  readonly jobClass?: Uint8Array;
}

/**
 * Draws arrivals, sizes and classes from streams of their own: two disciplines see the same jobs. What is drawn is then
 * scaled so that its mean gap and mean size are exactly those of the load asked for (moment matching): the order, which
 * makes queues, stays random, and half of the variance of the results goes, since a run at a nominal load of 0.95 would
 * else be a run at 0.949 or 0.951.
 */
export function drawJobs(spec: QueueSpec, count: number): Jobs {
  const arrival = arrivalTimes(
    spec.arrivals,
    spec.rho * spec.servers,
    count,
    stream(spec.seed, 'queue.arrivals'),
  );
  const size = sizes(spec.service, count, stream(spec.seed, 'queue.service'));
  if (spec.classes === undefined) return { count, arrival, size: matched(size, 1) };

  const jobClass = new Uint8Array(count);
  const limits: number[] = [];
  for (const c of spec.classes) limits.push((limits.at(-1) ?? 0) + c.share);
  const random = stream(spec.seed, 'queue.classes');
  for (let i = 0; i < count; i++) {
    const u = random.uniform();
    let c = 0;
    while (c < limits.length - 1 && u >= (limits[c] ?? 1)) c++;
    jobClass[i] = c;
    size[i] = (size[i] ?? 0) * (spec.classes[c]?.mean ?? 1);
  }
  return { count, arrival, size: matched(size, 1), jobClass };
}

/** Scaled in place to exactly this mean. */
function matched(values: Float64Array, mean: number): Float64Array {
  const factor = (mean * values.length) / exactSum(values);
  for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) * factor;
  return values;
}

function arrivalTimes(process: ArrivalProcess, rate: number, count: number, random: Random): Float64Array {
  const times = new Float64Array(count);
  const gap = 1 / rate;
  switch (process.kind) {
    case 'poisson':
      for (let i = 0; i < count; i++) times[i] = random.exponential(gap);
      return summed(matched(times, gap));
    case 'deterministic':
      // Multiplied, not added up: D/D/1 at full load must not wait because of rounding.
      for (let i = 0; i < count; i++) times[i] = i * gap;
      return times;
    case 'gamma': {
      const shape = 1 / (process.cv * process.cv);
      const scale = gap / shape;
      for (let i = 0; i < count; i++) times[i] = random.gamma(shape, scale);
      return summed(matched(times, gap));
    }
    case 'trace': {
      const first = process.times[0] ?? 0;
      const last = process.times[count - 1] ?? first;
      const scale = last > first ? ((count - 1) * gap) / (last - first) : 0;
      for (let i = 0; i < count; i++) times[i] = ((process.times[i] ?? first) - first) * scale;
      return times;
    }
    default: {
      const never: never = process;
      return never;
    }
  }
}

/** Gaps become times, in place. */
function summed(gaps: Float64Array): Float64Array {
  let time = 0;
  for (let i = 0; i < gaps.length; i++) gaps[i] = time += gaps[i] ?? 0;
  return gaps;
}

function sizes(law: ServiceLaw, count: number, random: Random): Float64Array {
  const drawn = new Float64Array(count);
  switch (law.kind) {
    case 'exp':
      for (let i = 0; i < count; i++) drawn[i] = random.exponential(1);
      return drawn;
    case 'det':
      return drawn.fill(1);
    case 'h2':
      for (let i = 0; i < count; i++)
        drawn[i] = random.exponential(random.uniform() < law.p ? law.m1 : law.m2);
      return drawn;
    case 'lognormal': {
      const sigma = Math.sqrt(Math.log(1 + law.cv * law.cv));
      for (let i = 0; i < count; i++) drawn[i] = Math.exp(sigma * random.gaussian());
      return drawn;
    }
    case 'gamma': {
      const shape = 1 / (law.cv * law.cv);
      for (let i = 0; i < count; i++) drawn[i] = random.gamma(shape, 1 / shape);
      return drawn;
    }
    default: {
      const never: never = law;
      return never;
    }
  }
}
