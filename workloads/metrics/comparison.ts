import { stream } from '../run/random.ts';
import { blockLength } from './blockLength.ts';
import { formatMetric, withSeparators } from './format.ts';
import { effectiveParts, type Interval, percentileInterval } from './interval.ts';
import { gather } from './order.ts';
import { metricLabel, metricOf } from './registry.ts';
import { type Figure, latencyStatistics, percentiles, ResampledRun } from './resampledRun.ts';
import { type VerdictContext, verdictSentence } from './verdict.ts';

/** Columns of a run's `requests` table, in any order of rows; NaN = absent. */
export interface RequestColumns {
  readonly rows: number;
  readonly iteration: ArrayLike<number>;
  readonly request: ArrayLike<number>;
  readonly arrival_ns: ArrayLike<number>;
  /** Absent for a request that was rejected or never finished. */
  readonly finish_ns: ArrayLike<number>;
  readonly ttft_ms: ArrayLike<number>;
  readonly tpot_ms: ArrayLike<number>;
  readonly e2e_ms: ArrayLike<number>;
  readonly queue_ms: ArrayLike<number>;
  /** 1 = met every SLO, 0 = did not; anything else: no SLO was given. */
  readonly good: ArrayLike<number>;
}

export interface RatioRow {
  /** `ttft_ms.p95`, `goodput_rps` */
  readonly metric: string;
  readonly baseline: number;
  readonly optimized: number;
  /** optimized / baseline */
  readonly ratio: number;
  readonly ci95: [number, number];
  /** The interval excludes 1. */
  readonly significant: boolean;
  readonly better: 'lower' | 'higher';
  readonly verdict: 'better' | 'worse' | 'no_evidence';
}

export interface RequestComparison {
  readonly rows: readonly RatioRow[];
  /** One sentence for people. */
  readonly verdict: string;
  /** How the intervals were made. */
  readonly method: string;
  /** What was left out, and why. */
  readonly warnings: readonly string[];
}

export interface ComparisonOptions {
  readonly seed: number;
  readonly resamples?: number;
  /** Requests per block; chosen from the data where absent. */
  readonly blockRequests?: number;
  /** Only requests that arrived in it (ns from the start of their replicate) are compared. */
  readonly window?: { readonly from: number; readonly to: number };
  readonly verdict?: VerdictContext;
}

/** Fewer requests than this carry no interval at all. */
export const minRequests = 30;
/** A percentile is compared where at least this many values lie above it. */
const minBeyond = 5;

/** The rule below is for the least mean square error of a variance; an interval that covers needs longer blocks. */
const blockFactor = 2;
/** At least this many blocks, however long the memory of the queue. */
const minBlocks = 10;

const latencies = ['ttft_ms', 'tpot_ms', 'e2e_ms', 'queue_ms'] as const;
export type LatencyId = (typeof latencies)[number];

/**
 * A/B comparison of two runs of the same traffic: ratios optimized/baseline with 95 % intervals by a paired circular block
 * bootstrap over requests in order of arrival. A resample draws blocks of consecutive requests, with replacement, the
 * same blocks in both variants, so what the traffic does to both cancels; within each replicate of the run.
 *
 *   arrivals   │ 0 … 63 │ 64 … 127 │ 128 … 191 │ …      blocks start at any eighth of a block and wrap around
 *   drawn          1          0           2             weight of each request: how often its block was drawn
 *
 * Values are sorted once; a resample then walks the sorted order and adds up weights, so it costs O(n), not a sort.
 * Throughput divides by resampled time: the time between the completions of a block, in each variant. Goodput divides by
 * the time between its arrivals, which both variants share: how long the last answers take to drain says nothing of it.
 */
export function compareRequests(
  baseline: RequestColumns,
  optimized: RequestColumns,
  options: ComparisonOptions,
): RequestComparison {
  const a = inWindow(baseline, arrivalOrder(baseline), options.window);
  const b = inWindow(optimized, arrivalOrder(optimized), options.window);
  const n = Math.min(a.length, b.length);
  if (n < minRequests) {
    const verdict = `Too few requests for a comparison: ${n}, at least ${minRequests} are needed.`;
    return { rows: [], verdict, method: 'none', warnings: [verdict] };
  }
  const warnings: string[] = [];
  const paired = sameRequests(baseline, a, optimized, b);
  if (!paired) {
    warnings.push(
      'The two runs did not see the same requests: their blocks are drawn independently, and the intervals are wider.',
    );
  }

  const wanted = options.blockRequests ?? chooseBlock(baseline, a, optimized, b, paired);
  const block = Math.min(Math.max(1, Math.floor(n / minBlocks)), wanted);
  if (wanted > block * 1.5) {
    warnings.push(
      `Latencies stay correlated over about ${wanted} requests, and the run has ${n}: the intervals may be too narrow. Run longer, or more iterations.`,
    );
  }
  const base = new ResampledRun(baseline, a, block);
  const opt = new ResampledRun(optimized, b, block);
  const resamples = options.resamples ?? Math.max(200, Math.min(1000, Math.floor(1e8 / n)));

  const figures = figureList(base, opt, warnings);
  const measure = (into: readonly number[][]): void => {
    for (const latency of latencies) {
      base.walk(latency);
      opt.walk(latency);
    }
    figures.forEach((figure, i) => {
      into[i]?.push(ratioOf(opt.resampled(figure), base.resampled(figure)));
    });
  };
  const ratios: number[][] = figures.map(() => []);
  const random = stream(options.seed, 'bootstrap');
  for (let s = 0; s < resamples; s++) {
    base.draw(random);
    if (paired) opt.drawLike(base);
    else opt.draw(random);
    measure(ratios);
  }
  const leftOut: number[][] = figures.map(() => []);
  const parts = Math.min(base.blocks, opt.blocks, 50);
  for (let k = 0; k < parts; k++) {
    base.leaveOut(k, parts);
    if (paired) opt.drawLike(base);
    else opt.takeAll();
    measure(leftOut);
  }
  if (!paired) {
    base.takeAll();
    for (let k = 0; k < parts; k++) {
      opt.leaveOut(k, parts);
      measure(leftOut);
    }
  }

  const blocks = Math.max(2, Math.min(base.blocks, opt.blocks));
  const rows: RatioRow[] = [];
  figures.forEach((figure, i) => {
    const found = row(figure, base.observed(figure), opt.observed(figure), ratios[i] ?? [], leftOut[i] ?? []);
    if (typeof found === 'string') warnings.push(found);
    else rows.push(found);
  });
  const method =
    `${paired ? 'Paired' : 'Unpaired'} circular block bootstrap over ${withSeparators(String(n))} requests in order of arrival: ` +
    `${resamples} resamples of ${blocks} blocks of ${block} requests, 95 % expanded percentile intervals, seed ${options.seed}.`;
  return { rows, verdict: verdictSentence(rows, options.verdict), method, warnings };
}

function figureList(base: ResampledRun, opt: ResampledRun, warnings: string[]): Figure[] {
  const figures: Figure[] = [];
  /** Metrics by what is missing, so that one reason is one line. */
  const thinOf = new Map<string, string[]>();
  for (const metric of latencies) {
    const n = Math.min(base.present(metric), opt.present(metric));
    if (n < minRequests) {
      if (Math.max(base.present(metric), opt.present(metric)) > 0) {
        warnings.push(
          `${metricOf(metric).label} is not compared: only ${n} requests have it in one variant, at least ${minRequests} are needed.`,
        );
      }
      continue;
    }
    const thin: string[] = [];
    for (const statistic of latencyStatistics) {
      const q = percentiles.find((p) => p.statistic === statistic)?.q;
      // 0.999999: 500 × (1 − 0.99) must count as 5.
      if (q !== undefined && n * (1 - q) < minBeyond * 0.999999) thin.push(statistic);
      else figures.push({ metric, statistic });
    }
    if (thin.length > 0) {
      const reason = `${thin.join(', ')}: too few requests (${n}) beyond ${thin.length > 1 ? 'them' : 'it'} for an interval.`;
      thinOf.set(reason, [...(thinOf.get(reason) ?? []), metricOf(metric).label]);
    }
  }
  for (const [reason, labels] of thinOf) warnings.push(`${labels.join(', ')} ${reason}`);
  if (base.hasSlo && opt.hasSlo) figures.push({ metric: 'goodput_rps' });
  figures.push({ metric: 'throughput_rps' });
  return figures;
}

const idOf = (figure: Figure): string =>
  'statistic' in figure ? `${figure.metric}.${figure.statistic}` : figure.metric;

/** 0/0 is no change; anything else over 0 has no ratio. */
function ratioOf(optimized: number, baseline: number): number {
  if (baseline === 0) return optimized === 0 ? 1 : Number.POSITIVE_INFINITY;
  return optimized / baseline;
}

/** The row, or why there is none. */
function row(
  figure: Figure,
  baseline: number,
  optimized: number,
  resampled: ArrayLike<number>,
  leftOut: ArrayLike<number>,
): RatioRow | string {
  const ratio = ratioOf(optimized, baseline);
  const [low, high] = clampToInclude(percentileInterval(resampled, effectiveParts(leftOut)), ratio);
  if (!(Number.isFinite(ratio) && Number.isFinite(low) && Number.isFinite(high))) {
    const id = idOf(figure);
    return `${metricLabel(id)} has no ratio: the baseline is ${baseline === 0 ? '0' : `${formatMetric(id, baseline)}, and 0 in some resamples`}, optimized is ${formatMetric(id, optimized)}.`;
  }
  const significant = low > 1 || high < 1;
  const better = metricOf(figure.metric).better === 'higher' ? 'higher' : 'lower';
  const improved = better === 'higher' ? low > 1 : high < 1;
  return {
    metric: idOf(figure),
    baseline,
    optimized,
    ratio,
    ci95: [low, high],
    significant,
    better,
    verdict: !significant ? 'no_evidence' : improved ? 'better' : 'worse',
  };
}

const clampToInclude = ([low, high]: Interval, value: number): Interval => [
  Math.min(low, value),
  Math.max(high, value),
];

/** Rows by replicate, then arrival, then request: a total order. */
function arrivalOrder(columns: RequestColumns): Uint32Array {
  const { iteration, request, arrival_ns, rows } = columns;
  const before = (x: number, y: number): number =>
    (iteration[x] ?? 0) - (iteration[y] ?? 0) ||
    (arrival_ns[x] ?? 0) - (arrival_ns[y] ?? 0) ||
    (request[x] ?? 0) - (request[y] ?? 0) ||
    x - y;
  const order = new Uint32Array(rows);
  // Rows mostly come sorted already.
  let sorted = true;
  for (let i = 0; i < rows; i++) {
    order[i] = i;
    if (i > 0 && before(i - 1, i) > 0) sorted = false;
  }
  return sorted ? order : order.sort(before);
}

function inWindow(
  { arrival_ns }: RequestColumns,
  order: Uint32Array,
  window: ComparisonOptions['window'],
): Uint32Array {
  if (window === undefined) return order;
  return order.filter((row) => {
    const at = arrival_ns[row] ?? Number.NaN;
    return at >= window.from && at <= window.to;
  });
}

function sameRequests(
  a: RequestColumns,
  aOrder: Uint32Array,
  b: RequestColumns,
  bOrder: Uint32Array,
): boolean {
  if (aOrder.length !== bOrder.length) return false;
  for (let i = 0; i < aOrder.length; i++) {
    const x = aOrder[i] ?? 0;
    const y = bOrder[i] ?? 0;
    if (a.iteration[x] !== b.iteration[y] || a.request[x] !== b.request[y]) return false;
    if (a.arrival_ns[x] !== b.arrival_ns[y]) return false;
  }
  return true;
}

/**
 * The longest block that any of these series asks for: both variants' latencies, as they are (so that the rare long
 * excursions count, which last longest) and as the ratio of means sees them, each request's share in one variant less its
 * share in the other.
 */
function chooseBlock(
  a: RequestColumns,
  aOrder: Uint32Array,
  b: RequestColumns,
  bOrder: Uint32Array,
  paired: boolean,
): number {
  const shares = (columns: RequestColumns, order: Uint32Array, id: LatencyId): Float64Array => {
    const values = gather(columns[id], order);
    let sum = 0;
    let present = 0;
    for (const value of values) {
      if (Number.isNaN(value)) continue;
      sum += value;
      present++;
    }
    return sum > 0 ? values.map((value) => (value * present) / sum) : values;
  };
  let longest = Math.ceil(Math.exp(Math.log(Math.max(1, aOrder.length)) / 3));
  for (const id of ['ttft_ms', 'e2e_ms'] as const) {
    const x = shares(a, aOrder, id);
    const y = shares(b, bOrder, id);
    longest = Math.max(longest, blockLength(x), blockLength(y));
    if (paired) longest = Math.max(longest, blockLength(x.map((value, i) => (y[i] ?? 0) - value)));
  }
  return longest * blockFactor;
}
