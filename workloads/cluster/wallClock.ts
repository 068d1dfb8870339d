import type { Ns } from '../units.ts';

/** Time that is waited for: nanoseconds on the run's clock, and whom to tell that there is something to do. */
export interface WallClock {
  now(): Ns;
  /** Something has happened outside the queue of events: look at it soon. */
  wake(): void;
}
