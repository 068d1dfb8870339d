import type { LinearCostSpec } from '../run/costSpec.ts';
import type { Ns } from '../units.ts';
import {
  type CostModel,
  type DecodeLine,
  type IterationShape,
  type IterationWork,
  wholeNs,
} from './costModel.ts';

/**
 * Fitted coefficients and nothing else: what one measures where there is no data sheet and no profile. DistServe's simulator times
 * prompts as a + b Σ len + c Σ len² and decoding as a + b Σ context + c × batch; BLIS starts from the same terms. A straight line
 * cannot bend where a pass turns from waiting for weights to waiting for arithmetic: it holds near the batches that it was fitted to.
 */
export class LinearCost implements CostModel {
  readonly peaks = undefined;
  private readonly baseNs: number;
  private readonly prefillNs: number;
  private readonly pairNs: number;
  private readonly decodeNs: number;
  private readonly contextNs: number;

  constructor(spec: LinearCostSpec) {
    this.baseNs = spec.base_us * 1e3;
    this.prefillNs = spec.prefill_us_per_token * 1e3;
    this.pairNs = spec.prefill_us_per_pair * 1e3;
    this.decodeNs = spec.decode_us_per_sequence * 1e3;
    this.contextNs = spec.decode_us_per_context_token * 1e3;
  }

  iterationNs(shape: IterationShape): Ns {
    const prompt =
      shape.prefillTokens === 0 ? 0 : shape.prefillTokens * this.prefillNs + shape.prefillPairs * this.pairNs;
    const decode =
      shape.decodeSequences === 0
        ? 0
        : shape.decodeSequences * this.decodeNs + shape.decodeContextTokens * this.contextNs;
    return wholeNs(this.baseNs + prompt + decode);
  }

  decodeLine(sequences: number, line: DecodeLine): boolean {
    line.baseNs = this.baseNs + sequences * this.decodeNs;
    line.perContextTokenNs = this.contextNs;
    return true;
  }

  work(_shape: IterationShape, work: IterationWork): void {
    work.flops = 0;
    work.bytes = 0;
  }
}
