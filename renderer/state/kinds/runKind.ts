import type { Pace, RunInfo } from '../../../electron/contract/protocol.ts';
import type { RunKindId } from '../../../electron/contract/runKind.ts';
import type { EngineId } from '../../../workloads/run/spec.ts';
import type { AnyTarget } from '../catalogue.ts';
import type { RunDetail } from '../runDetails.ts';
import type { FormValues, StartedSpec } from '../runForm.ts';

export interface SparkSeries {
  readonly source: string;
  readonly metric: string;
  /** Of the variant whose curve it is. */
  readonly variant: string;
}

/** The questions that the window asks of any run, answered by its kind. */
export interface RunKind {
  readonly id: RunKindId;
  /** The table that an export means: a row for each thing that was measured. */
  readonly table: 'kernels' | 'requests';
  /** Whether a router decided where its work went. */
  readonly hasRouter: boolean;
  /** The form's first value for replicates or measured rounds. */
  readonly defaultIterations: number;
  /** The curve of a card: its title, and the series of one run. */
  readonly sparkTitle: string;
  sparkSeries(run: RunInfo): readonly SparkSeries[];
  /** How much was measured, in words; empty where that is not known. */
  size(run: RunInfo): string;
  /** Its name in a list of runs, beside when it was made. */
  label(run: RunInfo): string;
  /** Whether a run holds several variants that were measured in turn: it is compared with itself. */
  comparesItself(run: RunInfo): boolean;
  /** Whether a report can be about this run alone. */
  reportsAlone(run: RunInfo): boolean;
  /** Whether a part of a finished run can run again under a profiler. */
  canReplay(engine: string): boolean;
  /** The pace at which a run starts: the chosen one, or as fast as it goes. */
  pace(chosen: Pace): Pace;
  /** Whether its runs need a GPU in this machine. */
  readonly needsGpu: boolean;
  /** The summary, where it is one of this kind. */
  detail(summary: unknown): Pick<RunDetail, 'summary' | 'kernels'>;
}

/** And of its targets. */
export interface TargetKind<T extends AnyTarget> extends RunKind {
  engines(target: T): readonly EngineId[];
  /**
   * The runs of one press of a button.
   *
   * @throws InputError of the target where the values contradict each other
   */
  specs(target: T, variants: readonly string[], values: FormValues): StartedSpec[];
  /** Words of the equivalent command line beside target, variants and parameters. */
  words(values: FormValues): readonly string[];
  /** The NVTX range that Nsight Compute counts where none was chosen; undefined: the whole run. */
  countedRange(variant: string): string | undefined;
  /** The values that a profiler wraps: it runs a kernel more than once, so a few rounds are enough. */
  captured(values: FormValues): FormValues;
}
