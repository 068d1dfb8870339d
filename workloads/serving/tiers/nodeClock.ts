import type { Ns } from '../../units.ts';

/** An instance as those see it that advance it together with others. */
export interface Stepper {
  /** Runs passes up to t, but stops before one whose start may look at what is shared; when that is, Infinity where none is. */
  runQuietly(t: Ns): Ns;
  /** Starts the pass before which it stopped. */
  goOn(t: Ns): void;
}

/**
 * Instances that share memories below HBM. Alone, an instance is advanced when someone looks at it, however far the others
 * are; together they must look at what they share in order of time:
 *
 *   a  ├───┼───┼───┼──●               stops where a request is to be admitted, which looks for its prefix
 *   b  ├─────┼──●                     is the first to stop: goes on first
 *   c  ├──┼──┼──┼──┼──┼──┼──┼──┤ t    only decodes: nothing to look for
 *
 * What an instance gives down on the way is kept with its time (`NodeTiers.settle`).
 */
export class NodeClock {
  private readonly members: readonly Stepper[];
  private readonly stopNs: Float64Array;
  private advancing = false;

  constructor(members: readonly Stepper[]) {
    this.members = members;
    this.stopNs = new Float64Array(members.length);
  }

  advanceTo(t: Ns): void {
    // A member that ends a request may make someone look at another member: that one is on its way already.
    if (this.advancing) return;
    this.advancing = true;
    const { members, stopNs } = this;
    for (let i = 0; i < members.length; i++) {
      stopNs[i] = members[i]?.runQuietly(t) ?? Number.POSITIVE_INFINITY;
    }
    for (;;) {
      let first = -1;
      let at = Number.POSITIVE_INFINITY;
      for (let i = 0; i < members.length; i++) {
        const stop = stopNs[i] ?? Number.POSITIVE_INFINITY;
        if (stop < at) {
          at = stop;
          first = i;
        }
      }
      const member = members[first];
      if (member === undefined) break;
      member.goOn(t);
      stopNs[first] = member.runQuietly(t);
    }
    this.advancing = false;
  }
}
