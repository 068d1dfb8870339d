import { type DecodeLine, type IterationShape, type IterationWork, wholeNs } from '../cost/costModel.ts';
import type { Ns } from '../units.ts';
import type { BatchState } from './batchState.ts';
import type { Coupling } from './coupling.ts';
import type { Instance } from './instance.ts';

/** The simulator's executor: says how long a composed pass takes, by the cost model and what else holds a pass up. */
export class PassTimer {
  /** Other instances whose passes this one's depend on; most instances have none. */
  coupling: Coupling | undefined;
  /** Time of a decode-only pass over its context; valid where `straight`. */
  readonly line: DecodeLine = { baseNs: 0, perContextTokenNs: 0 };
  straight = false;
  private lineFor = -1;
  private readonly state: BatchState;
  private readonly usesLine: boolean;

  /** `usesLine`: decode-only passes may be read off the cost model's line, as `DecodeRuns` does. */
  constructor(state: BatchState, usesLine: boolean) {
    this.state = state;
    this.usesLine = usesLine;
  }

  /** When the pass that `instance` starts at `start` ends. */
  endOf(instance: Instance, start: Ns, shape: IterationShape): Ns {
    const { tiers, decode, swap } = this.state;
    const alone = this.passNs(instance, start, shape);
    let end = start + (tiers === undefined || decode.count === 0 ? alone : tiers.passNs(start, alone));
    if (swap !== undefined) end += swap.takeStall();
    return end;
  }

  /** Writes the work of a pass of this shape into `out`. */
  work(shape: IterationShape, out: IterationWork): void {
    (this.state.technique ?? this.state.settings.cost).work(shape, out);
  }

  /** The cost model answers otherwise from now on: passes that start later are asked for anew. */
  costChanged(): void {
    this.lineFor = -1;
    this.straight = false;
  }

  private passNs(instance: Instance, start: Ns, shape: IterationShape): Ns {
    if (this.coupling !== undefined) return this.coupling.passNs(instance, start, shape);
    const { technique, settings } = this.state;
    if (technique !== undefined) return technique.passNs(shape);
    return this.usesLine && shape.prefillTokens === 0
      ? this.decodeNs(shape)
      : settings.cost.iterationNs(shape);
  }

  /** Time of a decode-only pass: off the line where the model has one, so that runs of passes and single ones agree. */
  private decodeNs(shape: IterationShape): Ns {
    const { count, context } = this.state.decode;
    const { cost } = this.state.settings;
    if (this.lineFor !== count) {
      this.lineFor = count;
      this.straight = cost.decodeLine(count, this.line);
    }
    return this.straight
      ? wholeNs(this.line.baseNs + this.line.perContextTokenNs * context)
      : cost.iterationNs(shape);
  }
}
