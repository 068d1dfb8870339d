import type { CostSpec } from '../run/costSpec.ts';
import type { KvQuantisationSpec } from '../run/techniqueSpec.ts';
import { type CostModel, IterationShape } from './costModel.ts';
import { LinearCost } from './linearCost.ts';
import { MoeCost } from './moeCost.ts';
import { OperatorCost } from './operatorCost.ts';
import { OperatorGroupCost } from './operatorGroupCost.ts';
import { PipelineCost } from './pipelineCost.ts';
import { RatesCost } from './ratesCost.ts';
import { RooflineCost } from './rooflineCost.ts';
import { StochasticCost } from './stochasticCost.ts';

/** What chance a cost model has: only the stochastic one draws. */
export interface Luck {
  readonly seed: number;
  readonly replicate: number;
}

export function costModelOf(
  spec: CostSpec,
  model: string,
  quantisation?: KvQuantisationSpec,
  luck: Luck = { seed: 0, replicate: 0 },
): CostModel {
  switch (spec.kind) {
    case 'roofline':
      if (spec.moe !== undefined) return MoeCost.forModel(spec, spec.moe, model);
      if (spec.pipeline !== undefined) return PipelineCost.forModel(spec, spec.pipeline, model);
      return RooflineCost.forModel(spec, model, quantisation);
    case 'rates':
      return new RatesCost(spec);
    case 'operators': {
      const cost = OperatorCost.forModel(spec, model);
      const { experts } = cost;
      return experts !== undefined && experts.dataRanks > 1 ? new OperatorGroupCost(cost, experts) : cost;
    }
    case 'linear':
      return new LinearCost(spec);
    case 'stochastic':
      return new StochasticCost(spec.service, luck.seed, luck.replicate);
    default: {
      const never: never = spec;
      return never;
    }
  }
}

/** What an operator would measure once on an idle instance: the static part of what routers know. */
export interface Profile {
  readonly prefillRate: number;
  readonly decodeNs: number;
  readonly perSequenceNs: number;
  readonly perContextNs: number;
}

export function profile(cost: CostModel, maxBatchedTokens: number): Profile {
  const shape = new IterationShape();
  shape.prefillTokens = maxBatchedTokens;
  shape.prefillPairs = (maxBatchedTokens * (maxBatchedTokens + 1)) / 2;
  shape.prefillContextTokens = maxBatchedTokens;
  shape.prefillSequences = 1;
  shape.prefillEnds = 1;
  shape.decodeContextTokens = 0;
  const prefillRate = (maxBatchedTokens / cost.iterationNs(shape)) * 1e9;
  const decode = (sequences: number, context: number): number => {
    shape.prefillTokens = 0;
    shape.prefillPairs = 0;
    shape.prefillContextTokens = 0;
    shape.prefillSequences = 0;
    shape.prefillEnds = 0;
    shape.decodeSequences = sequences;
    shape.decodeContextTokens = context;
    return cost.iterationNs(shape);
  };
  const one = decode(1, 0);
  return {
    prefillRate,
    decodeNs: one,
    perSequenceNs: (decode(65, 0) - one) / 64,
    perContextNs: (decode(1, 1e6) - one) / 1e6,
  };
}
