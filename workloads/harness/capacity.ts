import type { TrafficSpec } from '../run/spec.ts';
import type { Summary } from '../run/summary.ts';

/**
 * The largest rate at which a stated share of the requests meets the objectives. Rates are doubled or halved until one meets and one
 * misses, then the gap is bisected (on a log scale) until it is within the tolerance:
 *
 *     share good   ●────●──●─●
 *                             ╲●           ● measured with every seed
 *       stated ─ ─ ─ ─ ─ ─ ─ ─ ╲─ ─
 *                               ╲●───●     rate →
 *
 * A point meets where the mean share over the seeds reaches the stated one and not more than half of them are overloaded. The interval
 * goes from the largest rate that every seed meets to the smallest that none does. In a closed loop the load is the number of clients:
 * that is what is searched, and the rate is what they reached.
 */
export interface CapacityPoint {
  /** Requests that arrive per second, mean over seeds. */
  readonly rate: number;
  /** Of a closed loop. */
  readonly clients?: number;
  /** Factor on the traffic's own rate or number of clients. */
  readonly factor: number;
  /** Mean share of good requests over the seeds, and each seed's. */
  readonly share: number;
  readonly shares: readonly number[];
  /** Seeds whose queue still grew at the end, as a share. */
  readonly overloaded: number;
  readonly goodput: number;
  readonly ttftP50: number;
  readonly ttftP95: number;
  readonly tpotP50: number;
  readonly tpotP95: number;
  readonly meets: boolean;
}

export interface Capacity {
  /** Requests/s; undefined where not even the least rate tried meets. */
  readonly rate: number | undefined;
  /** Of a closed loop. */
  readonly clients?: number;
  /** Requests/s, of a closed loop clients. Undefined where a bound was not found. */
  readonly interval: readonly [number | undefined, number | undefined];
  /** In order of load. */
  readonly points: readonly CapacityPoint[];
}

export interface CapacityOptions {
  /** Stated share of good requests, 0 … 1. */
  readonly share: number;
  readonly seeds: readonly number[];
  /** Largest relative gap between a rate that meets and one that misses. */
  readonly tolerance: number;
  /** Factors are kept within 1 ÷ most … most. */
  readonly most: number;
}

/** The same traffic at `factor` times its rate. */
export function atRate(traffic: TrafficSpec, factor: number): TrafficSpec {
  switch (traffic.kind) {
    case 'open':
      return { ...traffic, rate_rps: traffic.rate_rps * factor };
    case 'closed': {
      const clients = Math.max(1, Math.round(traffic.clients * factor));
      // Each client sends as many as before.
      const requests = Math.max(clients, Math.round((traffic.requests * clients) / traffic.clients));
      return { ...traffic, clients, requests };
    }
    case 'lab':
      return { ...traffic, arrivals_per_tick: traffic.arrivals_per_tick * factor };
    case 'trace':
    case 'synthetic':
      return { ...traffic, speedup: traffic.speedup * factor };
    default: {
      const never: never = traffic;
      return never;
    }
  }
}

export async function findCapacity(
  traffic: TrafficSpec,
  run: (traffic: TrafficSpec, seed: number) => Promise<Summary>,
  { share, seeds, tolerance, most }: CapacityOptions,
  progress: (point: CapacityPoint) => void = () => {},
): Promise<Capacity> {
  const points: CapacityPoint[] = [];
  const measure = async (factor: number): Promise<CapacityPoint> => {
    const summaries: Summary[] = [];
    for (const seed of seeds) summaries.push(await run(atRate(traffic, factor), seed));
    const point = { ...pointOf(factor, summaries, share), ...clientsAt(factor) };
    points.push(point);
    progress(point);
    return point;
  };
  const clientsAt = (at: number): { readonly clients?: number } => {
    const scaled = atRate(traffic, at);
    return scaled.kind === 'closed' ? { clients: scaled.clients } : {};
  };
  const tried = (at: number): boolean => {
    const { clients } = clientsAt(at);
    return clients !== undefined && points.some((point) => point.clients === clients);
  };
  let low: number | undefined;
  let high: number | undefined;
  const note = ({ factor, meets }: CapacityPoint): void => {
    if (meets) low = Math.max(low ?? 0, factor);
    else high = Math.min(high ?? Number.POSITIVE_INFINITY, factor);
  };
  let factor = 1;
  while (factor <= most && factor >= 1 / most && !tried(factor)) {
    const point = await measure(factor);
    note(point);
    if (low !== undefined && high !== undefined) break;
    factor *= point.meets ? 2 : 0.5;
  }
  while (low !== undefined && high !== undefined && high / low > 1 + tolerance) {
    const middle: number = Math.sqrt(low * high);
    // Clients are whole: none lies between the two.
    if (tried(middle)) break;
    note(await measure(middle));
  }
  points.sort((a, b) => loadOf(a) - loadOf(b));
  const loads = (keep: (point: CapacityPoint) => boolean): number[] => points.filter(keep).map(loadOf);
  const missing = loads((point) => !point.shares.every((each) => each >= share));
  const sure = loads(
    (point) =>
      point.shares.every((each) => each >= share) &&
      loadOf(point) < Math.min(...missing, Number.POSITIVE_INFINITY),
  );
  const none = loads((point) => point.shares.every((each) => !(each >= share)));
  const found = points.find(({ factor: f, meets }) => meets && f === low);
  return {
    rate: found?.rate,
    ...(found?.clients === undefined ? {} : { clients: found.clients }),
    interval: [sure.at(-1), none[0]],
    points,
  };
}

/** What was varied: clients of a closed loop, else requests per second. */
export const loadOf = ({ clients, rate }: CapacityPoint): number => clients ?? rate;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function pointOf(factor: number, summaries: readonly Summary[], share: number): CapacityPoint {
  const shares = summaries.map(({ window }) =>
    window === undefined || window.requests === 0 ? 0 : (window.good ?? 0) / window.requests,
  );
  const latency = (id: 'ttft_ms' | 'tpot_ms', statistic: 'p50' | 'p95'): number =>
    mean(summaries.map(({ metrics }) => metrics[id]?.[statistic] ?? Number.NaN));
  const overloaded = mean(summaries.map(({ overload }) => (overload === undefined ? 0 : 1)));
  return {
    factor,
    rate: mean(
      summaries.map(({ window }) => {
        const length = window === undefined ? 0 : window.to_s - window.from_s;
        return length > 0 ? (window?.requests ?? 0) / length : 0;
      }),
    ),
    share: mean(shares),
    shares,
    overloaded,
    goodput: mean(summaries.map(({ goodput_rps }) => goodput_rps ?? Number.NaN)),
    ttftP50: latency('ttft_ms', 'p50'),
    ttftP95: latency('ttft_ms', 'p95'),
    tpotP50: latency('tpot_ms', 'p50'),
    tpotP95: latency('tpot_ms', 'p95'),
    meets: mean(shares) >= share && overloaded <= 0.5,
  };
}
