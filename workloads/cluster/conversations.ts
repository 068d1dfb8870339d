import type { Traffic } from '../traffic/traffic.ts';
import type { Ns } from '../units.ts';
import { EventKind } from './eventKinds.ts';
import type { EventQueue } from './eventQueue.ts';
import type { WallClock } from './wallClock.ts';

/**
 * Closed conversations: a turn arrives when the one before it has ended and its think time has passed.
 *
 *     turn 1  |arrives ---- answered|
 *     turn 2                        |-- think --|arrives ---- answered|
 *
 * The turn after one that was refused or failed arrives all the same: its client waits no longer for the answer.
 * Where time is real, a turn is handled ahead of its arrival by the clock's lead, as other arrivals are.
 */
export class Conversations {
  /** The traffic with arrivals of its own: those of later turns are known when the turn before ends. */
  readonly traffic: Traffic;
  private readonly queueOf: () => EventQueue;
  private readonly wall: WallClock | undefined;
  private readonly previous: Int32Array;
  private readonly thinkNs: Float64Array;
  /** Turns that wait for request r: the first, and after turn k the next one of the same r; -1 ends the list. */
  private readonly first: Int32Array;
  private readonly next: Int32Array;

  /** Undefined where every request arrives at its own time. */
  static of(traffic: Traffic, queue: () => EventQueue, wall?: WallClock): Conversations | undefined {
    const { turns } = traffic;
    return turns === undefined ? undefined : new Conversations(traffic, turns, queue, wall);
  }

  private constructor(
    traffic: Traffic,
    turns: NonNullable<Traffic['turns']>,
    queueOf: () => EventQueue,
    wall: WallClock | undefined,
  ) {
    this.queueOf = queueOf;
    this.wall = wall;
    this.traffic = { ...traffic, arrivalNs: traffic.arrivalNs.slice() };
    this.previous = turns.previous;
    this.thinkNs = turns.thinkNs;
    this.first = new Int32Array(traffic.requests).fill(-1);
    this.next = new Int32Array(traffic.requests).fill(-1);
    for (let r = traffic.requests - 1; r >= 0; r--) {
      const before = this.previous[r] ?? -1;
      if (before < 0) continue;
      this.next[r] = this.first[before] ?? -1;
      this.first[before] = r;
    }
  }

  /** Whether r arrives only after another request has ended. */
  waits(r: number): boolean {
    return (this.previous[r] ?? -1) >= 0;
  }

  /**
   * Request r has ended at `at`: the turns that wait for it get their times. In virtual time this is known at `now`, and no turn
   * arrives before that; a real clock may tell of it later, and the turn arrives when its client would have sent it.
   */
  ended(r: number, at: Ns, now: Ns): void {
    const { wall } = this;
    for (let turn = this.first[r] ?? -1; turn >= 0; turn = this.next[turn] ?? -1) {
      const due = at + (this.thinkNs[turn] ?? 0);
      const arrival = wall === undefined ? Math.max(now, due) : due;
      this.traffic.arrivalNs[turn] = arrival;
      // Not before the moment in which the end is known: what comes later than that is late.
      const handled = wall === undefined ? arrival : Math.max(wall.now(), arrival - wall.leadNs);
      this.queueOf().push(handled, EventKind.turn, turn);
    }
  }
}
