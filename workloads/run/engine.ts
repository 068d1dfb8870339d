import type { Traffic } from '../traffic/traffic.ts';
import type { Ns } from '../units.ts';
import type { RunSpec } from './spec.ts';
import type { Summary } from './summary.ts';
import type { EventSink } from './tables.ts';

/**
 * One run in progress. The runner calls `advance` again and again and between calls looks after pace, cancel and
 * the pipe; the run itself knows no host time. A cancelled run is closed by `finish`, which writes the rows of
 * unfinished requests.
 */
export interface RunInProgress {
  /** The run's clock. */
  readonly clock: Ns;
  /** Works until the run's clock reaches `until` or about `maxEvents` events were handled; true when the run is over. */
  advance(until: Ns, maxEvents: number): boolean;
  /** Flushes every open batch to the sink; cheap when nothing is open. */
  flush(): void;
  /** Ends the run where it stands and says what came of it. */
  finish(): Summary;
}

export interface SteppedEngine {
  /**
   * Checks that the cluster can hold the traffic (InputError where it cannot) and stands at time 0.
   * `trafficOf(replicate)` is called once per replicate, when its turn comes, with 0 .. spec.iterations - 1: generated
   * traffic is drawn from a seed of that replicate, a recorded trace is the same each time.
   */
  start(spec: RunSpec, trafficOf: (replicate: number) => Traffic, sink: EventSink): RunInProgress;
}
