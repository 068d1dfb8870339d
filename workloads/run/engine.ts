import type { Traffic } from '../traffic/traffic.ts';
import type { Ns } from '../units.ts';
import { type Capability, capabilities } from './capability.ts';
import { InputError } from './inputError.ts';
import { needsOf } from './needs.ts';
import type { EngineId, RunSpec } from './spec.ts';
import type { Summary } from './summary.ts';
import type { EventSink } from './tables.ts';

/** Time of the host, for engines that serve in real time. `workloads` has no clock of its own: the runner gives this one. */
export interface HostTime {
  /** Monotonic, ns; its zero is the start of the run. */
  now(): Ns;
  /**
   * Waits until `at` (ns on this clock) or until `wake` is called. Precise: to about 0.1 ms, by spinning through the last
   * millisecond; else to the timer's resolution.
   */
  sleep(at: Ns, precise: boolean): Promise<void>;
  /** Ends the sleep in progress; does nothing where there is none. */
  wake(): void;
  /** True when the replicate may begin (runs that are compared on the same servers take turns), false when it never will. Absent: at once. */
  turn?(replicate: number): Promise<boolean>;
}

/**
 * One run in progress. The runner calls `step` again and again and between calls looks after pace, cancel and the pipe. A
 * cancelled run is closed by `finish`, which writes the rows of unfinished requests.
 */
export interface Run {
  /** The run's clock. */
  readonly clock: Ns;
  /**
   * Works until the run's clock reaches `until` or about `maxEvents` events were handled; true when the run is over. In
   * virtual time it works at once; in real time it works off what is due and then waits for what comes next, at most about
   * 50 ms, and the promise is the answer.
   */
  step(until: Ns, maxEvents: number): boolean | Promise<boolean>;
  /** Flushes every open batch to the sink; cheap when nothing is open. */
  flush(): void;
  /** Ends the run where it stands, lets go of devices and connections, and says what came of it. */
  finish(): Summary | Promise<Summary>;
}

/** One way to serve. An engine is a folder in `workloads/engines`, and a file and a line in `electron/runner/engines`. */
export interface Engine {
  readonly id: EngineId;
  /** False where time is real: pace has no meaning then, and figures are measured. */
  readonly virtualTime: boolean;
  readonly offers: ReadonlySet<Capability>;
  /** Throws InputError where the cluster cannot serve the traffic. */
  check(spec: RunSpec, traffic: Traffic): void;
  /**
   * Checks the spec against the traffic, takes devices or connections, and stands at time 0. `trafficOf(replicate)` is called
   * once per replicate, when its turn comes, with 0 .. spec.iterations - 1: generated traffic is drawn from a seed of that
   * replicate, a recorded trace is the same each time.
   */
  open(
    spec: RunSpec,
    trafficOf: (replicate: number) => Traffic,
    sink: EventSink,
    time: HostTime,
  ): Run | Promise<Run>;
}

/** Throws InputError where the spec needs what the engine does not offer. */
export function checkOffers(engine: Pick<Engine, 'id' | 'offers'>, spec: RunSpec): void {
  const missing = [...needsOf(spec)].filter((need) => !engine.offers.has(need));
  const [first] = missing;
  if (first === undefined) return;
  const others = missing.length > 1 ? ` (and ${missing.slice(1).join(', ')})` : '';
  throw new InputError(
    `${spec.target}, variant ${spec.variant}: engine ${engine.id} has no ${capabilities[first]}${others}; use --engine sim, or a variant without it`,
  );
}
