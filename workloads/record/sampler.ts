import { SlidingRate, SlidingWindow } from '../metrics/slidingWindow.ts';
import type { PoolRole } from '../run/poolRole.ts';
import { Observation, type Replica } from '../serving/replica.ts';
import type { Ns } from '../units.ts';
import type { Recorder } from './recorder.ts';

/** Steps of a run of this length, about 1,500 of them, as a nice number: 1, 2 or 5 × a power of ten, at least 10 ms. */
export function niceStepNs(durationNs: Ns, steps = 1500): Ns {
  const wanted = Math.max(10e6, durationNs / steps);
  let unit = 1;
  while (unit * 10 <= wanted) unit *= 10;
  for (const factor of [1, 2, 5]) if (unit * factor >= wanted) return unit * factor;
  return unit * 10;
}

const windowSteps = 24;
const mostInstances = 64;
const roles = ['prefill', 'decode', 'mixed'] as const;
const percentiles = [0.5, 0.95, 0.99];
const ttftNames = ['ttft_ms.p50', 'ttft_ms.p95', 'ttft_ms.p99'];
const tpotNames = ['tpot_ms.p50', 'tpot_ms.p95', 'tpot_ms.p99'];

/** Cluster-wide counters that the sampler reads. */
export interface Counters {
  readonly rejected: number;
}

/** Which replicas serve, where that changes. */
export interface ServingFleet {
  /** Members of a pool (of all pools where it is undefined) in one of these states. */
  count(pool: PoolRole | undefined, ...states: readonly ('active' | 'draining' | 'starting')[]): number;
  isUp(replica: number): boolean;
}

/** Turns the state of the run into the `samples` table, once per step; percentiles over the last 24 steps. */
export class Sampler {
  readonly stepNs: Ns;
  private readonly recorder: Recorder;
  /** The sink takes the `samples` table. */
  private readonly wanted: boolean;
  private readonly replicas: readonly Replica[];
  /** What was seen of each replica at the sample that is being taken. */
  private readonly seen: readonly Observation[];
  private readonly pools: { readonly source: string; readonly members: readonly Replica[] }[] = [];
  private readonly sources: readonly string[];
  private readonly ttft: SlidingWindow;
  private readonly tpot: SlidingWindow;
  private readonly good: SlidingRate;
  private readonly completed: SlidingRate;
  private readonly arrivals: SlidingRate;
  private readonly tokens: SlidingRate;
  private readonly hasSlo: boolean;
  private readonly fleet: ServingFleet | undefined;
  private tokensSeen = 0;
  private readonly busySeen: Float64Array;
  private readonly donePassSeen: Float64Array;
  private readonly flopsSeen: Float64Array;
  private readonly bytesSeen: Float64Array;
  private readonly busy: Float64Array;
  private seenAt: Ns = 0;

  constructor(
    recorder: Recorder,
    replicas: readonly Replica[],
    stepNs: Ns,
    hasSlo: boolean,
    fleet?: ServingFleet,
  ) {
    this.recorder = recorder;
    this.wanted = recorder.wantsSamples;
    this.replicas = replicas;
    this.seen = replicas.map(() => new Observation());
    this.stepNs = stepNs;
    this.hasSlo = hasSlo;
    this.fleet = fleet;
    for (const role of roles) {
      const members = replicas.filter((i) => i.role === role);
      if (members.length > 0) this.pools.push({ source: `pool:${role}`, members });
    }
    this.sources = replicas.map((i) => `instance:${i.index}`);
    const windowNs = windowSteps * stepNs;
    this.ttft = new SlidingWindow(windowNs, windowSteps);
    this.tpot = new SlidingWindow(windowNs, windowSteps);
    this.good = new SlidingRate(windowNs, windowSteps);
    this.completed = new SlidingRate(windowNs, windowSteps);
    this.arrivals = new SlidingRate(windowNs, windowSteps);
    this.tokens = new SlidingRate(windowNs, windowSteps);
    this.busySeen = new Float64Array(replicas.length);
    this.donePassSeen = new Float64Array(replicas.length);
    this.flopsSeen = new Float64Array(replicas.length);
    this.bytesSeen = new Float64Array(replicas.length);
    this.busy = new Float64Array(replicas.length);
  }

  arrived(at: Ns): void {
    if (!this.wanted) return;
    this.arrivals.add(at);
  }
  firstToken(at: Ns, ttftMs: number): void {
    if (!this.wanted) return;
    this.ttft.add(at, ttftMs);
  }
  finished(at: Ns, tpotMs: number, good: boolean): void {
    if (!this.wanted) return;
    this.tpot.add(at, tpotMs);
    this.completed.add(at);
    if (good) this.good.add(at);
  }

  /** All replicas were advanced to t. */
  sample(t: Ns, counters: Counters): void {
    if (!this.wanted) return;
    const { recorder, replicas, seen } = this;
    const elapsed = t - this.seenAt;
    this.seenAt = t;
    if (elapsed <= 0) return;

    let tokens = 0;
    let waiting = 0;
    let running = 0;
    for (let i = 0; i < replicas.length; i++) {
      const at = seen[i];
      if (at === undefined) continue;
      replicas[i]?.observe(at, t);
      this.busy[i] = (at.busyUntilNs - (this.busySeen[i] ?? 0)) / elapsed;
      this.busySeen[i] = at.busyUntilNs;
      tokens += at.outputTokens;
      waiting += at.waiting;
      running += at.running;
    }
    this.tokens.add(t, tokens - this.tokensSeen);
    this.tokensSeen = tokens;

    const quantiles = (window: SlidingWindow, names: readonly string[]) => {
      const sketch = window.read(t);
      if (sketch.n === 0) return;
      const values = sketch.quantiles(percentiles);
      for (let q = 0; q < names.length; q++) {
        recorder.sample(t, 'cluster', names[q] ?? '', values[q] ?? Number.NaN);
      }
    };
    quantiles(this.ttft, ttftNames);
    quantiles(this.tpot, tpotNames);
    if (this.hasSlo) recorder.sample(t, 'cluster', 'goodput_rps', this.good.perSecond(t));
    recorder.sample(t, 'cluster', 'throughput_rps', this.completed.perSecond(t));
    recorder.sample(t, 'cluster', 'output_tokens_per_s', this.tokens.perSecond(t));
    recorder.sample(t, 'cluster', 'arrivals_rps', this.arrivals.perSecond(t));
    recorder.sample(t, 'cluster', 'rejected', counters.rejected);
    recorder.sample(t, 'cluster', 'queue_depth', waiting);
    recorder.sample(t, 'cluster', 'running', running);
    if (this.fleet === undefined) {
      for (const pool of this.pools) this.samplePool(t, pool.source, pool.members);
    } else this.sampleFleet(t, this.fleet);
    if (replicas.length <= mostInstances) {
      for (let i = 0; i < replicas.length; i++) {
        const at = seen[i];
        const source = this.sources[i];
        if (at === undefined || source === undefined) continue;
        recorder.sample(t, source, 'queue_depth', at.waiting);
        recorder.sample(t, source, 'running', at.running);
        recorder.sample(t, source, 'kv_used', at.kvUsed / at.kvTotal);
        recorder.sample(t, source, 'busy', this.busy[i] ?? Number.NaN);
      }
    }
  }

  /** Where instances come, go and change their pool: the serving instances and the present pools. */
  private sampleFleet(t: Ns, fleet: ServingFleet): void {
    const { recorder, replicas } = this;
    recorder.sample(t, 'cluster', 'active_instances', fleet.count(undefined, 'active', 'draining'));
    recorder.sample(t, 'cluster', 'starting_instances', fleet.count(undefined, 'starting'));
    for (const role of roles) {
      const known = replicas.filter((i) => i.role === role);
      if (known.length === 0 && !this.pools.some((pool) => pool.source === `pool:${role}`)) continue;
      const serving = known.filter((i) => fleet.isUp(i.index));
      recorder.sample(t, `pool:${role}`, 'active_instances', serving.length);
      if (serving.length > 0) this.samplePool(t, `pool:${role}`, serving);
    }
  }

  private samplePool(t: Ns, source: string, members: readonly Replica[]): void {
    let waiting = 0;
    let running = 0;
    let used = 0;
    let cached = 0;
    let blocks = 0;
    let busy = 0;
    let flops = 0;
    let bytes = 0;
    let flopsPossible = 0;
    let bytesPossible = 0;
    for (const { index: i, peaks } of members) {
      const at = this.seen[i];
      if (at === undefined) continue;
      waiting += at.waiting;
      running += at.running;
      used += at.kvUsed;
      cached += at.kvCached;
      blocks += at.kvTotal;
      busy += this.busy[i] ?? 0;
      const passes = (at.busyNs - (this.donePassSeen[i] ?? 0)) / 1e9;
      if (peaks !== undefined) {
        flops += at.flops - (this.flopsSeen[i] ?? 0);
        bytes += at.bytes - (this.bytesSeen[i] ?? 0);
        flopsPossible += passes * peaks.flopPerSec;
        bytesPossible += passes * peaks.bytesPerSec;
      }
      this.donePassSeen[i] = at.busyNs;
      this.flopsSeen[i] = at.flops;
      this.bytesSeen[i] = at.bytes;
    }
    const { recorder } = this;
    recorder.sample(t, source, 'queue_depth', waiting);
    recorder.sample(t, source, 'running', running);
    recorder.sample(t, source, 'kv_used', used / blocks);
    recorder.sample(t, source, 'kv_cached', cached / blocks);
    recorder.sample(t, source, 'busy', busy / members.length);
    if (flopsPossible > 0) recorder.sample(t, source, 'compute_util', flops / flopsPossible);
    if (bytesPossible > 0) recorder.sample(t, source, 'memory_util', bytes / bytesPossible);
  }
}
