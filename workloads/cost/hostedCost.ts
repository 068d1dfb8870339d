import type { HostSpec } from '../run/hostSpec.ts';
import type { Ns } from '../units.ts';
import {
  type CostModel,
  type DecodeLine,
  type IterationShape,
  type IterationWork,
  wholeNs,
} from './costModel.ts';

/**
 * Passes of a GPU that a CPU feeds:
 *
 *   in turn      GPU ─pass─┐        ┌─pass─     pass + host
 *                CPU       └─ host ─┘
 *   overlapped   GPU ─pass─┬─pass─┬─pass─       the longer of the two
 *                CPU ─host─┴─host─┘
 *
 * Prompts count as sequences: each has its inputs prepared and its token handed out.
 */
export class HostedCost implements CostModel {
  private readonly gpu: CostModel;
  private readonly host: HostSpec;

  constructor(gpu: CostModel, host: HostSpec) {
    this.gpu = gpu;
    this.host = host;
  }

  get peaks() {
    return this.gpu.peaks;
  }
  get needsLongest(): boolean {
    return this.gpu.needsLongest === true;
  }
  get needsRequest(): boolean {
    return this.gpu.needsRequest === true;
  }

  private hostNs(sequences: number): number {
    return (this.host.us_per_pass + this.host.us_per_sequence * sequences) * 1e3;
  }

  iterationNs(shape: IterationShape): Ns {
    const gpu = this.gpu.iterationNs(shape);
    const prompts = shape.prefillTokens > 0 ? shape.prefillSequences : 0;
    const host = this.hostNs(shape.decodeSequences + prompts);
    return wholeNs(this.host.overlapped ? Math.max(gpu, host) : gpu + host);
  }

  decodeLine(sequences: number, line: DecodeLine): boolean {
    if (!this.gpu.decodeLine(sequences, line)) return false;
    const host = this.hostNs(sequences);
    if (!this.host.overlapped) {
      line.baseNs += host;
      return true;
    }
    // The context only lengthens a pass: one that starts above the host's time stays there, the others bend.
    return line.baseNs >= host;
  }

  work(shape: IterationShape, work: IterationWork): void {
    this.gpu.work(shape, work);
  }
}
