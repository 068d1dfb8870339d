import type { RunSpec } from '../run/spec.ts';
import { Phase, type RequestTable } from '../serving/requestTable.ts';
import type { Ns } from '../units.ts';

/**
 * What of a replicate is measured. Filling an empty system and draining it after the last arrival say nothing of how it serves, so:
 *
 *     arrivals   ├── warm-up ──┼────────── window ──────────┤ drain
 *     latencies                  of requests that arrive here
 *     rates                      of what ends here ÷ its length
 *
 * The automatic warm-up is MSER-5 (White, Cobb and Spratt 2000): of the number of requests in the system, as each arrival finds it,
 * means of five are taken; the first d of m are dropped where the squared error of the mean of the rest,
 * Σ (x − mean)² ÷ (m − d)², is least, d at most m ÷ 2. A minimum at that end means that no steady state was reached.
 */
export interface SteadyWindow {
  readonly fromNs: Ns;
  readonly toNs: Ns;
  /** `given`: by the spec; `mser5`: found; `all`: from the first arrival to the last; `whole`: too few requests, the drain included. */
  readonly rule: 'given' | 'mser5' | 'all' | 'whole';
  /** False where the number of requests in the system had not settled by the middle of the arrivals. */
  readonly settled: boolean;
}

/** Fewer arrivals have no steady state worth the name. */
export const fewestArrivals = 200;
const batch = 5;

export function steadyWindow(
  spec: Pick<RunSpec, 'measurement' | 'traffic'>,
  requests: RequestTable,
  arrived: number,
  endNs: Ns,
): SteadyWindow {
  const arrivalNs = arrivalsInOrder(requests, arrived);
  const came = arrivalNs.length;
  const last =
    spec.traffic.kind === 'closed' ? firstClientEnds(requests, arrived) : (arrivalNs[came - 1] ?? 0);
  const given = spec.measurement;
  if (given !== undefined && given.warm_up !== 'auto') {
    const fromNs = Math.min(given.warm_up * 1e9, last);
    const toNs = given.measure_s === undefined ? Math.max(last, fromNs) : fromNs + given.measure_s * 1e9;
    if (toNs > fromNs) return { fromNs, toNs, rule: 'given', settled: true };
  }
  const first = arrivalNs[0] ?? 0;
  if (came < fewestArrivals || !(last > first))
    return { fromNs: 0, toNs: endNs, rule: 'whole', settled: true };
  // A recorded trace and the built-in hour change by design: there is nothing to settle to.
  const { kind } = spec.traffic;
  const stationary = kind === 'open' || kind === 'lab' || kind === 'closed';
  if (!stationary && given === undefined) return { fromNs: first, toNs: last, rule: 'all', settled: true };
  // In a closed loop the number of requests in the system is given: what settles is how long they wait.
  const found = kind === 'closed' ? latencies(requests, arrived) : requestsInSystem(requests, arrived);
  const dropped = mser5(found);
  const kept = arrivalNs[dropped] ?? first;
  // Clients that end long before the others leave no time in which all ask and have settled.
  if (kept >= last) return { fromNs: first, toNs: last, rule: 'all', settled: false };
  const fromNs = kept;
  const toNs = given?.measure_s === undefined ? last : Math.min(last, fromNs + given.measure_s * 1e9);
  return { fromNs, toNs, rule: 'mser5', settled: dropped < Math.floor(came / batch / 2) * batch };
}

/** Requests that have arrived: all of the first `arrived`, less turns whose answer before them never came. */
function comers(requests: RequestTable, arrived: number): Uint32Array {
  const all = Uint32Array.from({ length: arrived }, (_, r) => r);
  return requests.traffic.turns === undefined ? all : all.filter((r) => requests.came(r));
}

/** Times of arrival, ascending: turns that waited for an answer arrive in another order than they are numbered. */
function arrivalsInOrder(requests: RequestTable, arrived: number): Float64Array {
  const { arrivalNs, turns } = requests.traffic;
  if (turns === undefined) return arrivalNs.subarray(0, arrived);
  return Float64Array.from(comers(requests, arrived), (r) => arrivalNs[r] ?? 0).sort();
}

/** Arrival of the first request that no other one followed: from there on fewer clients ask than were stated. */
function firstClientEnds(requests: RequestTable, arrived: number): Ns {
  const { arrivalNs, turns } = requests.traffic;
  const came = comers(requests, arrived);
  const followed = new Uint8Array(arrived);
  for (const r of came) {
    const before = turns?.previous[r] ?? -1;
    if (before >= 0) followed[before] = 1;
  }
  let end = Number.POSITIVE_INFINITY;
  for (const r of came) if (followed[r] === 0) end = Math.min(end, arrivalNs[r] ?? 0);
  return end;
}

/** E2E of each request in order of arrival, ns; of those that did not end, the time until the last arrival. */
function latencies(requests: RequestTable, arrived: number): Float64Array {
  const { arrivalNs } = requests.traffic;
  const order = comers(requests, arrived).sort((a, b) => (arrivalNs[a] ?? 0) - (arrivalNs[b] ?? 0) || a - b);
  const last = arrivalNs[order[order.length - 1] ?? 0] ?? 0;
  return Float64Array.from(order, (r) => {
    const end = requests.finishNs[r] ?? Number.NaN;
    return (Number.isNaN(end) ? last : end) - (arrivalNs[r] ?? 0);
  });
}

/** How many requests each arrival finds in the system, itself not counted. */
export function requestsInSystem(requests: RequestTable, arrived: number): Float64Array {
  const { arrivalNs } = requests.traffic;
  const inOrder = arrivalsInOrder(requests, arrived);
  const ends = Float64Array.from(comers(requests, arrived), (r) => {
    const gone = requests.phase[r] === Phase.rejected || requests.phase[r] === Phase.failed;
    const end = requests.finishNs[r] ?? Number.NaN;
    return gone ? (arrivalNs[r] ?? 0) : Number.isNaN(end) ? Number.POSITIVE_INFINITY : end;
  }).sort();
  const count = ends.length;
  const found = new Float64Array(count);
  let ended = 0;
  for (let r = 0; r < count; r++) {
    while (ended < count && (ends[ended] ?? 0) <= (inOrder[r] ?? 0)) ended++;
    // Rejected requests end as they arrive, some of them just counted before they came.
    found[r] = Math.max(0, r - ended);
  }
  return found;
}

/** Observations to drop at the start, by MSER-5: a multiple of five, at most half of them. */
export function mser5(values: ArrayLike<number>): number {
  const batches = Math.floor(values.length / batch);
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  let sum = 0;
  let squares = 0;
  // From the end, so that each step adds one batch mean.
  for (let d = batches - 1; d >= 0; d--) {
    let mean = 0;
    for (let i = 0; i < batch; i++) mean += (values[d * batch + i] ?? 0) / batch;
    sum += mean;
    squares += mean * mean;
    if (d > Math.floor(batches / 2)) continue;
    const n = batches - d;
    const error = Math.max(0, squares - (sum * sum) / n) / (n * n);
    if (error <= least) {
      least = error;
      best = d;
    }
  }
  return best * batch;
}

export interface Overload {
  /** Requests/s over the window: that arrived, and that ended. */
  readonly arrivedRps: number;
  readonly servedRps: number;
  /** Growth of the number of requests without a first token over the second half of the window. */
  readonly growthRps: number;
  readonly waitingAtEnd: number;
}

/**
 * Whether the queue still grows at the end of the window: the mean number of requests that wait for their first token over the window's
 * last tenth exceeds that of its middle tenth by a fifth and by 2 % of what arrived between the two. Undefined where it does not.
 */
export function overloadOf(
  requests: RequestTable,
  arrived: number,
  { fromNs, toNs, rule }: SteadyWindow,
): Overload | undefined {
  const { arrivalNs } = requests.traffic;
  const length = toNs - fromNs;
  if (rule === 'whole' || arrived < fewestArrivals || !(length > 0)) return undefined;
  const mean = { middle: 0, end: 0 };
  const tenth = length / 10;
  let arrivals = 0;
  let ended = 0;
  const overlap = (start: Ns, end: Ns, from: Ns): number =>
    Math.max(0, Math.min(end, from + tenth) - Math.max(start, from)) / tenth;
  for (let r = 0; r < arrived; r++) {
    if (!requests.came(r)) continue;
    const at = arrivalNs[r] ?? 0;
    const finish = requests.finishNs[r] ?? Number.NaN;
    if (at >= fromNs && at <= toNs) arrivals++;
    if (finish >= fromNs && finish <= toNs) ended++;
    const phase = requests.phase[r];
    if (phase === Phase.rejected || phase === Phase.failed) {
      if (at >= fromNs && at <= toNs) ended++;
      continue;
    }
    const first = requests.firstTokenNs[r] ?? Number.NaN;
    const until = Number.isNaN(first) ? Number.POSITIVE_INFINITY : first;
    mean.middle += overlap(at, until, fromNs + 4.5 * tenth);
    mean.end += overlap(at, until, toNs - tenth);
  }
  const seconds = length / 1e9;
  const arrivedRps = arrivals / seconds;
  const growthRps = (mean.end - mean.middle) / (0.45 * seconds);
  if (mean.end < 1.2 * mean.middle || growthRps < 0.02 * arrivedRps || mean.end - mean.middle < 10)
    return undefined;
  return { arrivedRps, servedRps: ended / seconds, growthRps, waitingAtEnd: mean.end };
}
