import type { Ns, Tokens } from '../units.ts';

/** What the rows of a trace are handed to, request by request in any order of time: columns of a run, or a look at them. */
export interface RequestSink {
  /** How many there are. */
  readonly requests: number;
  /** Next block of the request that the next `request` call closes; false where this request already has it. */
  block(id: number | string): boolean;
  /**
   * Closes a request. `arrival` may be counted from anywhere. `previous` ≥ 0 is the request, by its place among the calls,
   * for whose answer this one waits; `arrival` is then the earliest one possible.
   */
  request(
    arrival: Ns,
    prompt: Tokens,
    output: Tokens,
    priority?: number,
    session?: number,
    previous?: number,
    thinkNs?: Ns,
  ): void;
}
