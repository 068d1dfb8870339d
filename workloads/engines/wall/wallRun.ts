import type { ReplicaMaker } from '../../cluster/replicaMaker.ts';
import { Replicate } from '../../cluster/replicate.ts';
import { Recorder } from '../../record/recorder.ts';
import { Totals } from '../../record/totals.ts';
import type { HostTime, Run } from '../../run/engine.ts';
import type { RunSpec } from '../../run/spec.ts';
import type { Summary } from '../../run/summary.ts';
import type { EventSink } from '../../run/tables.ts';
import type { Traffic } from '../../traffic/traffic.ts';
import type { Ns } from '../../units.ts';

/** The longest that one step waits: cancel, knobs and the pipe are looked after in between. */
const longestWaitNs = 50e6;

/** What an engine in real time brings along. */
export interface WallParts {
  /** Makes the replicas of one replicate. */
  readonly maker: ReplicaMaker;
  /** Called before each replicate, the first included: empties caches, takes memory. */
  prepare?(replicate: number, traffic: Traffic): Promise<void>;
  /** What makes it impossible to go on (a device refused a pass); thrown by the next step. */
  failure?(): Error | undefined;
  /** Arrivals are handled so long before their time: the replicas send them on time by themselves. Absent: on time. May change. */
  readonly leadNs?: Ns;
  /** An arrival was handled so long after it could have been. */
  arrivedLate?(ns: Ns): void;
  /** Between two replicates others may run: what measures this process rests. */
  rest?(isResting: boolean): void;
  /** Called at each step of the run, about every 50 ms at least. */
  turn?(): void;
  /** Adds to the summary what only the engine knows; called before close. */
  amend?(summary: Summary): Summary;
  /** Lets go of devices and connections; called once, also after a failure. */
  close?(): Promise<void>;
}

/**
 * A run in real time: the cluster's events are handled when their time has come, and passes or answers end when a device or a
 * server says so.
 *
 *   run's clock   ├── replicate 0 ──┤ prepare ├── replicate 1 ──┤
 *   its own       0 ────────────►      0 ────────────►              arrivals count from here
 */
export class WallRun implements Run {
  private readonly spec: RunSpec;
  private readonly trafficOf: (replicate: number) => Traffic;
  private readonly recorder: Recorder;
  private readonly totals: Totals;
  private readonly parts: WallParts;
  private readonly time: HostTime;
  private current: Replicate;
  private index = 0;
  /** Where the clock of the current replicate starts on the host's clock. */
  private originNs: Ns;
  /** Run time of the replicates that are over. */
  private beforeNs: Ns = 0;
  private over = false;

  private constructor(
    spec: RunSpec,
    trafficOf: (replicate: number) => Traffic,
    traffic: Traffic,
    sink: EventSink,
    time: HostTime,
    parts: WallParts,
  ) {
    this.spec = spec;
    this.trafficOf = trafficOf;
    this.recorder = new Recorder(spec, sink);
    this.totals = new Totals(spec, traffic);
    this.time = time;
    this.parts = parts;
    this.originNs = time.now();
    this.current = this.replicate(traffic);
  }

  /** Prepares the first replicate and starts its clock. */
  static async open(
    spec: RunSpec,
    trafficOf: (replicate: number) => Traffic,
    sink: EventSink,
    time: HostTime,
    parts: WallParts,
  ): Promise<WallRun> {
    const traffic = trafficOf(0);
    await parts.prepare?.(0, traffic);
    return new WallRun(spec, trafficOf, traffic, sink, time, parts);
  }

  /** Time since the current replicate began. */
  private readonly now = (): Ns => this.time.now() - this.originNs;

  private replicate(traffic: Traffic): Replicate {
    this.recorder.startReplicate(this.index);
    const { spec, index } = this;
    const progress = (done: number, clock: Ns): void => {
      const each = traffic.requests;
      this.recorder.sink.progress(index * each + done, spec.iterations * each, this.beforeNs + clock);
    };
    const { parts } = this;
    return new Replicate(spec, traffic, index, this.recorder, this.parts.maker, progress, {
      now: this.now,
      wake: () => this.time.wake(),
      originNs: this.originNs,
      get leadNs() {
        return parts.leadNs ?? 0;
      },
      arrivedLate: (ns) => parts.arrivedLate?.(ns),
    });
  }

  get clock(): Ns {
    return this.beforeNs + (this.over ? this.current.clock : this.now());
  }

  async step(_until: Ns, maxEvents: number): Promise<boolean> {
    if (this.over) return true;
    const { current, time, parts } = this;
    const failure = this.parts.failure?.();
    if (failure !== undefined) {
      await this.parts.close?.();
      throw failure;
    }
    parts.turn?.();
    if (current.advance(this.now(), maxEvents)) return await this.nextReplicate();
    const next = current.nextNs;
    const now = this.now();
    if (next > now) {
      const wait = Math.min(next - now, longestWaitNs);
      await time.sleep(
        time.now() + wait,
        next - now <= longestWaitNs && current.arrivesNext && (parts.leadNs ?? 0) === 0,
      );
    }
    return false;
  }

  private async nextReplicate(): Promise<boolean> {
    const { current } = this;
    if (this.index + 1 >= this.spec.iterations) {
      this.over = true;
      return true;
    }
    this.parts.rest?.(true);
    const mayBegin = (await this.time.turn?.(this.index + 1)) ?? true;
    this.parts.rest?.(false);
    // The run is cancelled: what was measured stands.
    if (!mayBegin) return false;
    this.beforeNs += current.clock;
    this.totals.add(current);
    this.index++;
    const traffic = this.trafficOf(this.index);
    await this.parts.prepare?.(this.index, traffic);
    this.originNs = this.time.now();
    this.current = this.replicate(traffic);
    return false;
  }

  flush(): void {
    this.recorder.flush();
  }

  async finish(): Promise<Summary> {
    this.over = true;
    this.current.close();
    this.totals.add(this.current);
    this.recorder.flush();
    const summary = this.totals.summary();
    const whole = this.parts.amend?.(summary) ?? summary;
    await this.parts.close?.();
    return whole;
  }
}
