import type { IterationShape } from '../../cost/costModel.ts';
import type { PipelineCost } from '../../cost/pipelineCost.ts';
import type { PipelineTotals } from '../../record/replicateResult.ts';
import type { Coupling } from '../../serving/coupling.ts';
import type { Instance } from '../../serving/instance.ts';
import type { Ns } from '../../units.ts';
import { StageServers } from './stageServers.ts';

/**
 * Micro-batch slots that share the stages of one model. Each member has at most one micro-batch under way: its sequences get their
 * next token only when it has left the last stage (vLLM's virtual engines), and the chunks of a long prompt go one after the
 * other. A micro-batch is put together when the first stage can take it, not earlier.
 */
export class PipelineLine implements Coupling {
  readonly stages: number;
  readonly servers: StageServers;
  private readonly cost: PipelineCost;
  private readonly members: Instance[] = [];

  constructor(cost: PipelineCost) {
    this.cost = cost;
    this.stages = cost.stages.length;
    this.servers = new StageServers(this.stages);
  }

  get totals(): PipelineTotals {
    return this.servers.totals;
  }

  add(member: Instance): void {
    this.members.push(member);
    member.coupling = this;
  }

  passNs(_member: Instance, start: Ns, shape: IterationShape): Ns {
    const { cost } = this;
    const end = this.servers.enter(
      start,
      Math.round(cost.overheadNs),
      Math.round(cost.hopNs(shape)),
      (s) => cost.stages[s]?.iterationNs(shape) ?? 0,
    );
    return end - start;
  }

  /** When a member may start: the host is done with the one before, and the first stage will be free when it is done with this. */
  private startOf(member: Instance): Ns {
    const stage = this.servers.firstFree - Math.round(this.cost.overheadNs);
    return Math.max(member.now, this.servers.hostFree, stage);
  }

  /** Its members hand nothing over, so the exact start of a pass matters to no other instance. */
  startAt(t: Ns): void {
    this.advanceTo(t);
  }

  nextStart(): Ns {
    return this.servers.hostFree;
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
          // The member that has waited longest goes first.
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
