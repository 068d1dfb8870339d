// Hardware counters of this process's own kernels, by CUPTI's range profiler (`cupti/range_profiler.h`): for a runner.
import { answered } from './activity.ts';
import type { RawAddon } from './addon.ts';
import { type Answer, parseAnswer, success } from './answer.ts';
import type { CudaContext } from './cuda.ts';

export interface CounterOptions {
  readonly metrics: readonly string[];
  /** Each launch a range of its own, repeated by CUPTI; else what `count` names is one range, repeated by running it again. */
  readonly perKernel: boolean;
  readonly library?: string;
  readonly maxRanges?: number;
}

export interface CountedRange {
  /** As given; where ranges are launches, the launch's number in order. */
  readonly name: string;
  /** In the order of `metrics`; −1: the card could not give it. */
  readonly values: readonly number[];
}

interface Opened {
  readonly session: number;
  readonly chip: string;
  readonly passes: number;
  readonly metrics: readonly string[];
  readonly refused: readonly { readonly metric: string; readonly reason: string }[];
}

export class KernelCounters {
  readonly chip: string;
  /** How often each kernel (or range) runs. */
  readonly passes: number;
  readonly metrics: readonly string[];
  readonly refused: Opened['refused'];
  private readonly addon: RawAddon;
  private readonly session: number;
  private readonly perKernel: boolean;

  private constructor(addon: RawAddon, opened: Opened, perKernel: boolean) {
    this.addon = addon;
    this.session = opened.session;
    this.chip = opened.chip;
    this.passes = opened.passes;
    this.metrics = opened.metrics;
    this.refused = opened.refused;
    this.perKernel = perKernel;
  }

  static open(
    addon: RawAddon,
    context: CudaContext,
    { metrics, perKernel, library = '', maxRanges = 2048 }: CounterOptions,
  ): Answer<KernelCounters> {
    const opened = parseAnswer<Opened>(
      addon.countersOpen(context.runtime, context.handle, library, metrics, perKernel, maxRanges),
    );
    return opened.ok ? success(new KernelCounters(addon, opened.value, perKernel)) : opened;
  }

  /** Counts what `work` launches. It runs once for kernels and once per pass for a range, and must do the same each time. */
  count(
    name: string,
    work: () => void,
  ): { readonly ranges: readonly CountedRange[]; readonly dropped: number } {
    const { addon, session } = this;
    for (let turn = 0; ; turn++) {
      // Each pass is one turn; a driver that never says that it is done must not hold the run for ever.
      if (turn > this.passes + 8) throw new RangeError(`counters of ${name}: no end after ${turn} passes`);
      answered(addon.countersBegin(session));
      if (!this.perKernel) answered(addon.countersPush(session, name));
      work();
      if (!this.perKernel) answered(addon.countersPop(session));
      if (answered<{ readonly done: boolean }>(addon.countersEnd(session)).done) break;
    }
    return answered(addon.countersRead(session));
  }

  close(): void {
    this.addon.countersClose(this.session);
  }
}
