import type { Random } from '../run/random.ts';
import type { LatencyId, RequestColumns } from './comparison.ts';
import { ascendingOrder, gather } from './order.ts';
import { between, distribution, sortedPresent } from './percentile.ts';
import type { Statistic } from './registry.ts';

/** What is compared: a statistic of a latency, or a rate. */
export type Figure =
  | { readonly metric: LatencyId; readonly statistic: LatencyStatistic }
  | { readonly metric: 'goodput_rps' }
  | { readonly metric: 'throughput_rps' };
export type LatencyStatistic = Exclude<Statistic, 'min' | 'max'>;

/** Descending, as they are met when walking down from the largest value. */
export const percentiles: readonly { readonly statistic: LatencyStatistic; readonly q: number }[] = [
  { statistic: 'p99', q: 0.99 },
  { statistic: 'p95', q: 0.95 },
  { statistic: 'p90', q: 0.9 },
  { statistic: 'p50', q: 0.5 },
];
export const latencyStatistics: readonly LatencyStatistic[] = ['mean', 'p50', 'p90', 'p95', 'p99'];
/** Blocks may begin at every eighth of one, close enough to anywhere. */
const segmentsPerBlock = 8;

interface SortedColumn {
  /** Present values, descending. */
  readonly values: Float64Array;
  /** Segment of each. */
  readonly segments: Uint32Array;
  /** Per segment: sum and number of the present values. */
  readonly sums: Float64Array;
  readonly counts: Float64Array;
  /** Results of the last walk. */
  readonly found: Map<LatencyStatistic, number>;
  readonly observed: ReadonlyMap<LatencyStatistic, number>;
}

/** One variant's requests, ready to be resampled by segments of an eighth of a block. */
export class ResampledRun {
  /** Independent blocks that cover the run. */
  readonly blocks: number;
  readonly hasSlo: boolean;
  /** Segments of one block. */
  readonly #perBlock: number;
  readonly #weights: Int32Array;
  /** Segments first..end of each replicate. */
  readonly #replicates: { readonly first: number; readonly end: number }[] = [];
  readonly #columns: Readonly<Record<LatencyId, SortedColumn>>;
  readonly #good: Float64Array;
  readonly #completions: Float64Array;
  /** Per segment: time between the completions that fall to it, seconds. */
  readonly #seconds: Float64Array;
  /** Per segment: its share of the run's length by the time between its arrivals, seconds. Both variants alike but for a factor. */
  readonly #offeredSeconds: Float64Array;

  constructor(columns: RequestColumns, order: Uint32Array, block: number) {
    const length = Math.max(1, Math.ceil(block / segmentsPerBlock));
    const segmentOf = new Uint32Array(order.length);
    let segments = 0;
    let inReplicate = 0;
    let replicateStart = 0;
    const replicateRows: { start: number; end: number }[] = [];
    for (let i = 0; i < order.length; i++) {
      const changed = i > 0 && columns.iteration[order[i] ?? 0] !== columns.iteration[order[i - 1] ?? 0];
      if (changed) {
        const first = this.#replicates.at(-1)?.end ?? 0;
        this.#replicates.push({ first, end: segments });
        replicateRows.push({ start: replicateStart, end: i });
        replicateStart = i;
        inReplicate = 0;
      }
      if (inReplicate % length === 0) segments++;
      segmentOf[i] = segments - 1;
      inReplicate++;
    }
    this.#replicates.push({ first: this.#replicates.at(-1)?.end ?? 0, end: segments });
    replicateRows.push({ start: replicateStart, end: order.length });

    this.blocks = Math.max(1, Math.floor(order.length / block));
    this.#perBlock = Math.max(1, Math.round(block / length));
    this.#weights = new Int32Array(segments);
    const column = (id: LatencyId) => sortedColumn(columns[id], order, segmentOf, segments);
    this.#columns = {
      ttft_ms: column('ttft_ms'),
      tpot_ms: column('tpot_ms'),
      e2e_ms: column('e2e_ms'),
      queue_ms: column('queue_ms'),
    };

    this.#good = new Float64Array(segments);
    this.#completions = new Float64Array(segments);
    this.#seconds = new Float64Array(segments);
    this.#offeredSeconds = new Float64Array(segments);
    let judged = 0;
    for (let i = 0; i < order.length; i++) {
      const good = columns.good[order[i] ?? 0];
      if (good === 0 || good === 1) judged++;
      const segment = segmentOf[i] ?? 0;
      if (good === 1) this.#good[segment] = (this.#good[segment] ?? 0) + 1;
    }
    this.hasSlo = judged > 0;
    replicateRows.forEach(({ start, end }, r) => {
      const replicate = this.#replicates[r];
      if (replicate === undefined) return;
      const rows = order.subarray(start, end);
      this.#spreadCompletions(columns, rows, replicate);
      this.#spreadArrivals(columns, rows, replicate, length);
    });
  }

  /** The k-th share of a replicate's completions, in order of time, falls to its k-th segment. */
  #spreadCompletions(
    columns: RequestColumns,
    rows: Uint32Array,
    replicate: { first: number; end: number },
  ): void {
    const finishes = sortedPresent(gather(columns.finish_ns, rows));
    const segments = replicate.end - replicate.first;
    let from = 0;
    // Completions count from the first arrival, so that a window in the middle of a run has no head start.
    let fromTime = columns.arrival_ns[rows[0] ?? 0] ?? 0;
    for (let k = 0; k < segments; k++) {
      const to = Math.floor(((k + 1) * finishes.length) / segments);
      const toTime = to > 0 ? (finishes[to - 1] ?? 0) : fromTime;
      this.#completions[replicate.first + k] = to - from;
      this.#seconds[replicate.first + k] = (toTime - fromTime) / 1e9;
      from = to;
      fromTime = toTime;
    }
  }

  /**
   * The time between the first arrival and the last, and one gap, spread over the segments. Goodput divides by this: when a
   * request completes is chance between variants that serve the same arrivals, whether it was good is not.
   */
  #spreadArrivals(
    columns: RequestColumns,
    rows: Uint32Array,
    replicate: { first: number; end: number },
    length: number,
  ): void {
    const arrivalOf = (i: number): number => columns.arrival_ns[rows[Math.min(i, rows.length - 1)] ?? 0] ?? 0;
    const span = arrivalOf(rows.length - 1) - arrivalOf(0);
    const seconds = (span * rows.length) / Math.max(1, rows.length - 1) / 1e9;
    for (let k = 0; k < replicate.end - replicate.first; k++) {
      const from = k * length;
      const to = Math.min(from + length, rows.length);
      const share = span > 0 ? (arrivalOf(to) - arrivalOf(from)) / span : (to - from) / rows.length;
      this.#offeredSeconds[replicate.first + k] = share * seconds;
    }
  }

  present(id: LatencyId): number {
    return this.#columns[id].values.length;
  }

  observed(figure: Figure): number {
    if (figure.metric === 'goodput_rps') return perSecond(total(this.#good), total(this.#offeredSeconds));
    if (figure.metric === 'throughput_rps') return perSecond(total(this.#completions), total(this.#seconds));
    return this.#columns[figure.metric].observed.get(figure.statistic) ?? Number.NaN;
  }

  /** Draws blocks until each replicate has as many segments as it has; its last block is cut to fit. */
  draw(random: Random): void {
    this.#weights.fill(0);
    for (const { first, end } of this.#replicates) {
      const segments = end - first;
      for (let drawn = 0; drawn < segments; ) {
        const start = random.integer(0, segments - 1);
        const length = Math.min(this.#perBlock, segments - drawn);
        for (let j = 0; j < length; j++) {
          const segment = first + ((start + j) % segments);
          this.#weights[segment] = (this.#weights[segment] ?? 0) + 1;
        }
        drawn += length;
      }
    }
  }

  /** Takes everything once, but for the k-th of `parts` equal parts. */
  leaveOut(k: number, parts: number): void {
    const segments = this.#weights.length;
    this.#weights.fill(1);
    this.#weights.fill(0, Math.floor((k * segments) / parts), Math.floor(((k + 1) * segments) / parts));
  }

  /** Takes everything once. */
  takeAll(): void {
    this.#weights.fill(1);
  }

  drawLike(other: ResampledRun): void {
    this.#weights.set(other.#weights);
  }

  /** Mean and percentiles of a column under the drawn weights. */
  walk(id: LatencyId): void {
    const { values, segments, sums, counts, found } = this.#columns[id];
    const weights = this.#weights;
    let n = 0;
    let sum = 0;
    for (let s = 0; s < counts.length; s++) {
      const weight = weights[s] ?? 0;
      n += weight * (counts[s] ?? 0);
      sum += weight * (sums[s] ?? 0);
    }
    found.clear();
    if (n === 0) return;
    found.set('mean', sum / n);
    let i = -1;
    let seen = 0;
    for (const { statistic, q } of percentiles) {
      const rank = (n - 1) * q;
      const below = Math.floor(rank);
      // Places counted from the largest value: the upper neighbour comes first.
      const upperPlace = Math.max(0, n - 2 - below);
      const lowerPlace = n - 1 - below;
      while (seen <= upperPlace) seen += weights[segments[++i] ?? 0] ?? 0;
      const upper = values[i] ?? 0;
      let lower = upper;
      if (seen <= lowerPlace) {
        // The lower neighbour is looked at without moving on: it may be the next percentile's upper one.
        let j = i + 1;
        while ((weights[segments[j] ?? 0] ?? 0) === 0) j++;
        lower = values[j] ?? 0;
      }
      found.set(statistic, between(lower, upper, rank - below));
    }
  }

  /** Value of a figure under the drawn weights; latencies after `walk`. */
  resampled(figure: Figure): number {
    if (figure.metric === 'goodput_rps')
      return perSecond(this.#weighted(this.#good), this.#weighted(this.#offeredSeconds));
    if (figure.metric === 'throughput_rps') {
      return perSecond(this.#weighted(this.#completions), this.#weighted(this.#seconds));
    }
    return this.#columns[figure.metric].found.get(figure.statistic) ?? Number.NaN;
  }

  #weighted(perSegment: Float64Array): number {
    let sum = 0;
    for (let s = 0; s < perSegment.length; s++) sum += (this.#weights[s] ?? 0) * (perSegment[s] ?? 0);
    return sum;
  }
}

const perSecond = (count: number, seconds: number): number => (seconds > 0 ? count / seconds : 0);

function total(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function sortedColumn(
  column: ArrayLike<number>,
  order: Uint32Array,
  segmentOf: Uint32Array,
  segmentCount: number,
): SortedColumn {
  const sums = new Float64Array(segmentCount);
  const counts = new Float64Array(segmentCount);
  const present = new Float64Array(order.length);
  const segments = new Uint32Array(order.length);
  let n = 0;
  for (let i = 0; i < order.length; i++) {
    const value = column[order[i] ?? 0] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    const segment = segmentOf[i] ?? 0;
    sums[segment] = (sums[segment] ?? 0) + value;
    counts[segment] = (counts[segment] ?? 0) + 1;
    present[n] = value;
    segments[n++] = segment;
  }
  const descending = ascendingOrder(present.subarray(0, n)).reverse();
  const values = gather(present, descending);
  const segmentsInOrder = new Uint32Array(n);
  for (let i = 0; i < n; i++) segmentsInOrder[i] = segments[descending[i] ?? 0] ?? 0;
  const all = distribution(values);
  const observed = new Map<LatencyStatistic, number>();
  if (all !== undefined) for (const statistic of latencyStatistics) observed.set(statistic, all[statistic]);
  return { values, segments: segmentsInOrder, sums, counts, found: new Map(), observed };
}
