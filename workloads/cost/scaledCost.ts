import type { Ns } from '../units.ts';
import {
  type CostModel,
  type DecodeLine,
  type IterationShape,
  type IterationWork,
  wholeNs,
} from './costModel.ts';

/** A GPU that is slower than it should be (throttled, a bad neighbour, a failing link): every pass takes `factor` times as long. */
export class ScaledCost implements CostModel {
  /** 1: healthy. After a change the instance must be told (`costChanged`). */
  factor = 1;
  readonly needsLongest: boolean;
  readonly peaks: CostModel['peaks'];
  private readonly healthy: CostModel;

  constructor(healthy: CostModel) {
    this.healthy = healthy;
    this.needsLongest = healthy.needsLongest === true;
    this.peaks = healthy.peaks;
  }

  iterationNs(shape: IterationShape): Ns {
    return wholeNs(this.factor * this.healthy.iterationNs(shape));
  }

  decodeLine(sequences: number, line: DecodeLine): boolean {
    const isLine = this.healthy.decodeLine(sequences, line);
    line.baseNs *= this.factor;
    line.perContextTokenNs *= this.factor;
    return isLine;
  }

  work(shape: IterationShape, work: IterationWork): void {
    this.healthy.work(shape, work);
  }
}
