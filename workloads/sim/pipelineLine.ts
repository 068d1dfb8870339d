import type { Coupling } from '../serving/coupling.ts';
import type { Instance } from '../serving/instance.ts';
import type { Ns } from '../units.ts';
import type { IterationShape } from './costModel.ts';
import type { PipelineCost } from './pipelineCost.ts';

/** What the stages of a line did over a run. */
export interface PipelineTotals {
  /** Time with at least one micro-batch in the line. */
  activeNs: number;
  /** Σ over stages of the time with a micro-batch in them. */
  busyNs: number;
  microBatches: number;
}

/**
 * Stages as servers in a row, micro-batches through them in order of their start:
 *
 *   host     |0|1|2|3|              schedules one micro-batch at a time
 *   stage 0    [ 0 ][ 1 ][ 2 ][ 3 ][ 0 ]
 *   stage 1         [ 0 ][ 1 ][ 2 ][ 3 ]        a hop carries activations between stages
 *
 * Each member of the line has at most one micro-batch under way: its sequences get their next token only when it has left the
 * last stage. A micro-batch is put together when the first stage can take it, not earlier. The bubble is what the stages
 * stood idle while there was a micro-batch in the line; nothing is taken from a formula.
 */
export class PipelineLine implements Coupling {
  readonly totals: PipelineTotals = { activeNs: 0, busyNs: 0, microBatches: 0 };
  readonly stages: number;
  private readonly cost: PipelineCost;
  private readonly members: Instance[] = [];
  private readonly free: Float64Array;
  private hostFree: Ns = 0;
  /** End of the time that `activeNs` has counted. */
  private activeUntil: Ns = 0;

  constructor(cost: PipelineCost) {
    this.cost = cost;
    this.stages = cost.stages.length;
    this.free = new Float64Array(cost.stages.length);
  }

  add(member: Instance): void {
    this.members.push(member);
    member.coupling = this;
  }

  passNs(_member: Instance, start: Ns, shape: IterationShape): Ns {
    const { cost, free, totals } = this;
    const hop = Math.round(cost.hopNs(shape));
    this.hostFree = start + Math.round(cost.overheadNs);
    let at = this.hostFree;
    for (let s = 0; s < free.length; s++) {
      const begin = Math.max(at, free[s] ?? 0);
      const ns = cost.stages[s]?.iterationNs(shape) ?? 0;
      free[s] = begin + ns;
      totals.busyNs += ns;
      at = begin + ns + (s + 1 < free.length ? hop : 0);
    }
    // The host's work before an empty line is no bubble of the stages.
    const from = Math.max(this.activeUntil, this.hostFree);
    totals.activeNs += Math.max(0, at - from);
    this.activeUntil = Math.max(this.activeUntil, at);
    totals.microBatches++;
    return at - start;
  }

  /** When a member may start: the host is done with the one before, and the first stage will be free when it is done with this. */
  private startOf(member: Instance): Ns {
    const stage = (this.free[0] ?? 0) - Math.round(this.cost.overheadNs);
    return Math.max(member.now, this.hostFree, stage);
  }

  advanceTo(t: Ns): void {
    const { members } = this;
    for (;;) {
      let ends: Instance | undefined;
      let starts: Instance | undefined;
      let startAt = Number.POSITIVE_INFINITY;
      let waitsSince = Number.POSITIVE_INFINITY;
      for (const member of members) {
        if (member.flying) {
          if (ends === undefined || member.endNs < ends.endNs) ends = member;
        } else if (member.outstanding > 0) {
          const at = this.startOf(member);
          // Who has waited longest goes first.
          if (at < startAt || (at === startAt && member.now < waitsSince)) {
            starts = member;
            startAt = at;
            waitsSince = member.now;
          }
        }
      }
      if (ends !== undefined && ends.endNs <= t && ends.endNs <= startAt) {
        ends.endPass();
      } else if (starts !== undefined && startAt < t) {
        starts.startPass(startAt);
        if (!starts.flying) starts.now = t;
      } else return;
    }
  }
}
