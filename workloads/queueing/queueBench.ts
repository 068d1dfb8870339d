import { studentQuantile } from '../metrics/normal.ts';
import { exactSum, quantileOfSorted, sortedPresent } from '../metrics/percentile.ts';
import { serve } from './disciplines.ts';
import { drawJobs, type Jobs } from './jobs.ts';
import { checkQueue, type QueueSpec } from './queueSpec.ts';

/** What a queue does, in units of the mean service time. A job's wait is its time in the system less its own service. */
export interface QueueResult {
  readonly wq: number;
  readonly w: number;
  /** Time averages: jobs that wait, and jobs in the system. */
  readonly lq: number;
  readonly l: number;
  readonly p50_w: number;
  readonly p95_w: number;
  readonly p99_w: number;
  /** Busy servers ÷ servers, over time. */
  readonly utilisation: number;
  /** Share of the arrivals that were lost. */
  readonly blocked: number;
  /** Arrivals measured. */
  readonly n: number;
  /** By batch means over 32 batches of consecutive jobs, Student's t. */
  readonly ci95: { readonly wq: readonly [number, number]; readonly w: readonly [number, number] };
  readonly per_class?: readonly { readonly n: number; readonly wq: number; readonly w: number }[];
}

const batches = 32;
/** What (a + s) − a − s may be off by, late in a long run: no wait. */
const roundingNoise = 1e-9;

/** Runs a queue. Throws InputError for one that cannot be. */
export function runQueue(spec: QueueSpec): QueueResult {
  checkQueue(spec);
  const warmup = spec.warmup ?? (spec.arrivals.kind === 'trace' ? 0 : Math.ceil(spec.n / 10));
  const jobs = drawJobs(spec, warmup + spec.n);
  return measure(spec, jobs, serve(spec, jobs), warmup);
}

function measure(spec: QueueSpec, jobs: Jobs, departure: Float64Array, warmup: number): QueueResult {
  const { count, arrival, size, jobClass } = jobs;
  const from = arrival[warmup] ?? 0;
  const to = arrival[count - 1] ?? from;
  // All jobs served in the measured part, in order of arrival.
  const sojourn = new Float64Array(count - warmup);
  const wait = new Float64Array(count - warmup);
  let served = 0;
  let inSystem = 0;
  let inService = 0;
  const overlap = (start: number, end: number): number => {
    const length = Math.min(end, to) - Math.max(start, from);
    return Math.max(length, 0);
  };
  const perClass = spec.classes?.map(() => ({ n: 0, wq: 0, w: 0 }));
  for (let i = 0; i < count; i++) {
    const end = departure[i] ?? Number.NaN;
    if (Number.isNaN(end)) continue;
    const start = arrival[i] ?? 0;
    const service = size[i] ?? 0;
    inSystem += overlap(start, end);
    // Service that was shared or interrupted is counted as if it came last: over a long run the same.
    inService += overlap(end - service, end);
    if (i < warmup) continue;
    const w = end - start;
    const waited = w - service;
    const wq = waited > roundingNoise ? waited : 0;
    sojourn[served] = w;
    wait[served++] = wq;
    const sums = perClass?.[jobClass?.[i] ?? 0];
    if (sums !== undefined) {
      sums.n++;
      sums.w += w;
      sums.wq += wq;
    }
  }
  const w = sojourn.subarray(0, served);
  const wq = wait.subarray(0, served);
  const duration = to > from ? to - from : 1;
  const sorted = sortedPresent(w);
  const mean = (values: Float64Array): number => (values.length === 0 ? 0 : exactSum(values) / values.length);
  const result: QueueResult = {
    wq: mean(wq),
    w: mean(w),
    lq: Math.max(0, inSystem - inService) / duration,
    l: inSystem / duration,
    p50_w: served === 0 ? 0 : quantileOfSorted(sorted, 0.5),
    p95_w: served === 0 ? 0 : quantileOfSorted(sorted, 0.95),
    p99_w: served === 0 ? 0 : quantileOfSorted(sorted, 0.99),
    utilisation: inService / duration / spec.servers,
    blocked: 1 - served / (count - warmup),
    n: count - warmup,
    ci95: { wq: batchInterval(wq), w: batchInterval(w) },
  };
  if (perClass === undefined) return result;
  return {
    ...result,
    per_class: perClass.map(({ n, wq: waits, w: sojourns }) => ({
      n,
      wq: n === 0 ? 0 : waits / n,
      w: n === 0 ? 0 : sojourns / n,
    })),
  };
}

/**
 * 95 % interval of the mean of a correlated sequence: means of long batches are nearly independent. With fewer jobs than
 * batches there is no interval, only the mean.
 */
function batchInterval(values: Float64Array): readonly [number, number] {
  const length = Math.floor(values.length / batches);
  const mean = values.length === 0 ? 0 : exactSum(values) / values.length;
  if (length === 0) return [mean, mean];
  const means = Array.from(
    { length: batches },
    (_, b) => exactSum(values.subarray(b * length, (b + 1) * length)) / length,
  );
  const centre = exactSum(means) / batches;
  const variance = means.reduce((sum, m) => sum + (m - centre) * (m - centre), 0) / (batches - 1);
  const half = studentQuantile(0.975, batches - 1) * Math.sqrt(variance / batches);
  return [Math.max(0, mean - half), mean + half];
}
