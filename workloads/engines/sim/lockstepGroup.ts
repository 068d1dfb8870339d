import { IterationShape } from '../../cost/costModel.ts';
import type { GroupCost } from '../../cost/groupCost.ts';
import type { MoeTotals } from '../../record/replicateResult.ts';
import type { Coupling } from '../../serving/coupling.ts';
import type { Instance } from '../../serving/instance.ts';
import type { Ns } from '../../units.ts';

/**
 * Data-parallel ranks of one mixture of experts. A pass starts on all of them at once and ends on all at once, since each sparse
 * layer waits for the tokens of all ranks; a rank with nothing to do takes part with an empty batch (vLLM's dummy batch).
 */
export class LockstepGroup implements Coupling {
  readonly totals: MoeTotals = {
    passes: 0,
    tokens: 0,
    passNs: 0,
    expertNs: 0,
    meanExpertNs: 0,
    exchangeNs: 0,
    exposedNs: 0,
    expertImbalance: 0,
    rankImbalance: 0,
    dropped: 0,
    offIsland: 0,
    busiestTokens: 0,
  };
  readonly ranks: number;
  private readonly members: Instance[] = [];
  private readonly cost: GroupCost;
  private readonly shapes: IterationShape[] = [];
  private readonly idle = emptyShape();
  private flying = false;
  private endNs: Ns = 0;

  constructor(cost: GroupCost) {
    this.cost = cost;
    this.ranks = cost.dataRanks;
  }

  add(member: Instance): void {
    this.members.push(member);
    this.shapes.push(this.idle);
    member.coupling = this;
  }

  get size(): number {
    return this.members.length;
  }

  /** The group's time is set once all members have put their batches together. */
  passNs(): Ns {
    return 1;
  }

  advanceTo(t: Ns): void {
    const { members } = this;
    for (;;) {
      if (this.flying) {
        if (this.endNs > t) return;
        this.flying = false;
        for (const member of members) if (member.flying) member.endPass();
      }
      let start = Number.POSITIVE_INFINITY;
      for (const member of members) if (member.outstanding > 0) start = Math.min(start, member.now);
      start = Math.max(start, this.endNs);
      if (start >= t) return;
      if (!this.begin(start)) {
        for (const member of members) if (member.outstanding > 0) member.now = t;
        return;
      }
    }
  }

  startAt(t: Ns): void {
    this.advanceTo(t);
    if (!this.flying && this.endNs <= t) this.begin(t);
  }

  nextStart(): Ns {
    return this.flying ? this.endNs : 0;
  }

  private begin(start: Ns): boolean {
    const { members, shapes, totals, cost } = this;
    let any = false;
    let busiest = 0;
    members.forEach((member, i) => {
      shapes[i] = this.idle;
      if (member.outstanding === 0 || member.now > start) return;
      member.startPass(start);
      if (!member.flying) return;
      any = true;
      shapes[i] = member.shape;
      busiest = Math.max(busiest, member.shape.prefillTokens + member.shape.decodeSequences);
    });
    if (!any) return false;
    this.flying = true;
    this.endNs = start + cost.passNs(shapes);
    for (const member of members) if (member.flying) member.endNs = this.endNs;
    const { last, layer } = cost;
    totals.passes++;
    totals.tokens += last.tokens;
    totals.passNs += last.totalNs;
    totals.expertNs += last.expertNs;
    totals.meanExpertNs += last.meanExpertNs;
    totals.exchangeNs += last.exchangeNs;
    totals.exposedNs += last.exposedNs;
    totals.expertImbalance += last.tokens * layer.expertImbalance;
    totals.rankImbalance += last.tokens * layer.rankImbalance;
    totals.dropped += last.tokens * layer.dropped;
    totals.offIsland += last.tokens * layer.offIsland;
    totals.busiestTokens += busiest;
    return true;
  }
}

function emptyShape(): IterationShape {
  const shape = new IterationShape();
  shape.prefillPairs = 0;
  shape.prefillContextTokens = 0;
  shape.decodeContextTokens = 0;
  shape.decodeLongestTokens = 0;
  return shape;
}
