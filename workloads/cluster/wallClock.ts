import type { Ns } from '../units.ts';

/** Time that is waited for: nanoseconds on the run's clock, and whom to tell that there is something to do. */
export interface WallClock {
  now(): Ns;
  /** Something has happened outside the queue of events: look at it soon. */
  wake(): void;
  /** Where this clock's zero lies on the host's clock. */
  readonly originNs: Ns;
  /** Arrivals are handled so long before their time, where the replicas themselves keep it (a sender with a clock of its own). */
  readonly leadNs: Ns;
  /** An arrival was handled so long after it could have been. */
  arrivedLate(ns: Ns): void;
}
