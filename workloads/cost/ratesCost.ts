import type { CostSpec } from '../run/costSpec.ts';
import type { Ns } from '../units.ts';
import {
  type CostModel,
  type DecodeLine,
  type IterationShape,
  type IterationWork,
  wholeNs,
} from './costModel.ts';

/**
 * Fixed rates, as in the published lab: a pass takes its prompt tokens ÷ the prefill rate + its decoding sequences ÷ the
 * decode rate + a constant. Decoding alone is processor sharing: n sequences each advance at 1/n of the rate.
 */
export class RatesCost implements CostModel {
  readonly peaks = undefined;
  private readonly overheadNs: number;
  private readonly prefillNs: number;
  private readonly decodeNs: number;

  constructor(spec: Extract<CostSpec, { kind: 'rates' }>) {
    this.overheadNs = spec.iteration_overhead_us * 1e3;
    this.prefillNs = 1e9 / spec.prefill_tokens_per_s;
    this.decodeNs = 1e9 / spec.decode_tokens_per_s;
  }

  iterationNs(shape: IterationShape): Ns {
    return wholeNs(
      this.overheadNs + shape.prefillTokens * this.prefillNs + shape.decodeSequences * this.decodeNs,
    );
  }

  decodeLine(sequences: number, line: DecodeLine): boolean {
    line.baseNs = this.overheadNs + sequences * this.decodeNs;
    line.perContextTokenNs = 0;
    return true;
  }

  work(_shape: IterationShape, work: IterationWork): void {
    work.flops = 0;
    work.bytes = 0;
  }
}
