import type { Ns } from '../units.ts';
import type { CostModel, DecodeLine, IterationShape, IterationWork } from './costModel.ts';
import type { GroupCost, MoePass } from './groupCost.ts';
import type { OperatorCost } from './operatorCost.ts';
import type { OperatorExperts } from './operatorExperts.ts';

/** Data-parallel ranks of a mixture of experts, priced by measured operators. */
export class OperatorGroupCost implements CostModel, GroupCost {
  readonly peaks = undefined;
  readonly needsLongest: boolean;
  readonly last: MoePass = {
    totalNs: 0,
    expertNs: 0,
    meanExpertNs: 0,
    exchangeNs: 0,
    exposedNs: 0,
    tokens: 0,
  };
  private readonly cost: OperatorCost;
  private readonly experts: OperatorExperts;

  constructor(cost: OperatorCost, experts: OperatorExperts) {
    this.cost = cost;
    this.experts = experts;
    this.needsLongest = cost.needsLongest;
  }

  get dataRanks(): number {
    return this.experts.dataRanks;
  }

  get layer() {
    return this.experts.layer;
  }

  passNs(shapes: readonly IterationShape[]): Ns {
    const { last, cost, experts } = this;
    last.totalNs = cost.groupNs(shapes);
    last.expertNs = experts.blocksUs * 1e3;
    // The table is of one rank; the others are not priced apart.
    last.meanExpertNs = last.expertNs / Math.max(1, experts.layer.rankImbalance);
    last.exchangeNs = experts.exchangeUs * 1e3;
    last.exposedNs = last.exchangeNs;
    last.tokens = 0;
    for (const shape of shapes) last.tokens += shape.prefillTokens + shape.decodeSequences;
    return last.totalNs;
  }

  iterationNs(shape: IterationShape): Ns {
    return this.cost.iterationNs(shape);
  }

  decodeLine(_sequences: number, _line: DecodeLine): boolean {
    return false;
  }

  work(shape: IterationShape, work: IterationWork): void {
    this.cost.work(shape, work);
  }
}
