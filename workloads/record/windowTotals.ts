import { swing } from '../metrics/fluctuation.ts';
import { distribution } from '../metrics/percentile.ts';
import type { RunSpec } from '../run/spec.ts';
import type { Distribution, OverloadSummary, PoolSummary, WindowSummary } from '../run/summary.ts';
import type { Ms, Ns, Tokens } from '../units.ts';
import type { ReplicateResult } from './replicateResult.ts';
import { type Overload, overloadOf, type SteadyWindow, steadyWindow } from './steadyWindow.ts';

/** Mean and variance of numbers as they come (Welford). */
class Spread {
  private n = 0;
  private mean = 0;
  private squares = 0;

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.n++;
    const off = value - this.mean;
    this.mean += off / this.n;
    this.squares += off * (value - this.mean);
  }
  get deviation(): number | undefined {
    return this.n < 2 ? undefined : Math.sqrt(this.squares / (this.n - 1));
  }
}

/** Time bins of one replicate's window over which TTFT is watched for an oscillation. */
const bins = 100;

/** Sums up what the windows of all replicates held: counts, rates, steadiness. */
export class WindowTotals {
  private readonly spec: RunSpec;
  private readonly windows: SteadyWindow[] = [];
  private readonly overloads: Overload[] = [];
  private lengthNs = 0;
  private readonly ends = { completed: 0, good: 0, promptTokens: 0, outputTokens: 0 };
  private requests = 0;
  private good = 0;
  private readonly ttft = new Spread();
  private readonly tpot = new Spread();
  /** Of the first replicate: sums and counts of TTFT by time of arrival. */
  private readonly binSums = new Float64Array(bins);
  private readonly binCounts = new Float64Array(bins);

  constructor(spec: RunSpec) {
    this.spec = spec;
  }

  /** Begins with a replicate: finds its window. */
  add({ requests, arrived, clock, lastFinish, done }: ReplicateResult): SteadyWindow {
    const window = steadyWindow(
      this.spec,
      requests,
      arrived,
      done ? lastFinish : Math.max(clock, lastFinish),
    );
    this.windows.push(window);
    this.lengthNs += window.toNs - window.fromNs;
    const overload = overloadOf(requests, arrived, window);
    if (overload !== undefined) this.overloads.push(overload);
    return window;
  }

  holds({ fromNs, toNs }: SteadyWindow, arrival: Ns): boolean {
    return arrival >= fromNs && arrival <= toNs;
  }

  /** A request that arrived in the window of the replicate at hand. */
  arrived(arrival: Ns, ttft: Ms, tpot: Ms, good: boolean): void {
    this.requests++;
    if (good) this.good++;
    this.ttft.add(ttft);
    this.tpot.add(tpot);
    const [window] = this.windows;
    if (this.windows.length > 1 || window === undefined || Number.isNaN(ttft)) return;
    const bin = Math.min(
      bins - 1,
      Math.floor(((arrival - window.fromNs) / (window.toNs - window.fromNs)) * bins),
    );
    this.binSums[bin] = (this.binSums[bin] ?? 0) + ttft;
    this.binCounts[bin] = (this.binCounts[bin] ?? 0) + 1;
  }

  /** A request that ended, whenever it arrived. */
  ended({ fromNs, toNs }: SteadyWindow, finish: Ns, good: boolean, prompt: Tokens, output: Tokens): void {
    if (!(finish >= fromNs && finish <= toNs)) return;
    this.ends.completed++;
    if (good) this.ends.good++;
    this.ends.promptTokens += prompt;
    this.ends.outputTokens += output;
  }

  /** Per second of the windows. */
  get rates(): { readonly [rate in keyof WindowTotals['ends']]: number } {
    const seconds = this.lengthNs / 1e9;
    const per = (count: number): number => (seconds > 0 ? count / seconds : 0);
    return {
      completed: per(this.ends.completed),
      good: per(this.ends.good),
      promptTokens: per(this.ends.promptTokens),
      outputTokens: per(this.ends.outputTokens),
    };
  }

  summary(hasSlo: boolean): WindowSummary {
    const { windows } = this;
    const n = windows.length;
    const mean = (value: (window: SteadyWindow) => number): number =>
      n === 0 ? 0 : windows.reduce((sum, window) => sum + value(window), 0) / n;
    const { deviation: ttft } = this.ttft;
    const { deviation: tpot } = this.tpot;
    const period = this.periodS;
    return {
      from_s: mean(({ fromNs }) => fromNs) / 1e9,
      to_s: mean(({ toNs }) => toNs) / 1e9,
      rule: windows[0]?.rule ?? 'whole',
      settled: mean(({ settled }) => (settled ? 1 : 0)),
      requests: this.requests,
      ...(hasSlo ? { good: this.good } : {}),
      ...(ttft === undefined ? {} : { ttft_std_ms: ttft }),
      ...(tpot === undefined ? {} : { tpot_std_ms: tpot }),
      ...(period === undefined ? {} : { ttft_period_s: period }),
    };
  }

  private get periodS(): number | undefined {
    const [window] = this.windows;
    if (window === undefined || window.rule === 'whole' || this.binCounts.some((n) => n === 0))
      return undefined;
    const means = Array.from(this.binSums, (sum, i) => sum / (this.binCounts[i] ?? 1));
    const found = swing(means);
    return found === undefined ? undefined : (found.lag * (window.toNs - window.fromNs)) / bins / 1e9;
  }

  overload(): { readonly overload?: OverloadSummary } {
    const { overloads } = this;
    if (overloads.length === 0) return {};
    const mean = (value: (overload: Overload) => number): number =>
      overloads.reduce((sum, overload) => sum + value(overload), 0) / overloads.length;
    return {
      overload: {
        share: overloads.length / this.windows.length,
        arrived_rps: mean(({ arrivedRps }) => arrivedRps),
        served_rps: mean(({ servedRps }) => servedRps),
        growth_rps: mean(({ growthRps }) => growthRps),
        waiting: mean(({ waitingAtEnd }) => waitingAtEnd),
      },
    };
  }
}

/** TTFT by the pool that computed the prompt, TPOT by the pool that ended the answer. */
export class PoolTotals {
  private readonly poolOf: readonly PoolSummary['pool'][];
  private readonly values = new Map<
    PoolSummary['pool'],
    { readonly ttft: number[]; readonly tpot: number[] }
  >();

  constructor(spec: RunSpec) {
    this.poolOf = spec.cluster.instances.map(({ pool }) => pool);
    const pools = new Set(this.poolOf);
    if (pools.size > 1) for (const pool of pools) this.values.set(pool, { ttft: [], tpot: [] });
  }

  add(prefill: number, decode: number, ttft: Ms, tpot: Ms): void {
    if (this.values.size === 0) return;
    this.values.get(this.poolOf[prefill] ?? 'mixed')?.ttft.push(ttft);
    this.values.get(this.poolOf[decode] ?? 'mixed')?.tpot.push(tpot);
  }

  summary(): { readonly pools?: readonly PoolSummary[] } {
    if (this.values.size === 0) return {};
    const part = (id: 'ttft_ms' | 'tpot_ms', of: Distribution | undefined) =>
      of === undefined ? {} : { [id]: of };
    return {
      pools: [...this.values].map(([pool, { ttft, tpot }]) => ({
        pool,
        ...part('ttft_ms', distribution(ttft)),
        ...part('tpot_ms', distribution(tpot)),
      })),
    };
  }
}
