import type { Ns } from '../units.ts';
import type { CostModel, DecodeLine, IterationShape, IterationWork } from './costModel.ts';

/** Of an instance whose passes are measured, on a card or with a model that no formula knows: no estimate and no work. */
export class UnknownCost implements CostModel {
  readonly peaks = undefined;

  iterationNs(_shape: IterationShape): Ns {
    return 1;
  }

  decodeLine(_sequences: number, _line: DecodeLine): boolean {
    return false;
  }

  work(_shape: IterationShape, work: IterationWork): void {
    work.flops = 0;
    work.bytes = 0;
  }
}
