import type { Writable } from 'node:stream';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { MeasuredCeilings } from '../../../workloads/roofline/ceilings.ts';
import type { CaptureInterval } from '../../../workloads/run/captureInterval.ts';
import type { TableName } from '../../../workloads/run/tables.ts';
import type { RunPoints } from '../../contract/captures.ts';
import type { Comparison } from '../../contract/protocol.ts';
import type { HeavyTasks } from '../heavyTasks.ts';
import type { RunReads } from '../runs/runReads.ts';
import type { RowSource } from '../store/duckdb.ts';
import type { ManifestOf } from '../store/manifest.ts';

/** A run with what a comparison reads of it. */
export interface ComparedSide<Spec extends AnySpec> {
  readonly manifest: ManifestOf<Spec>;
  /** summary.json; absent where the run ended before it was summarised. */
  readonly summary: object | undefined;
  /** Where the rows of a table are; undefined where the run has none. */
  readonly table: (name: TableName) => Promise<RowSource | undefined>;
}

/** A bundle on disk. */
export interface Bundle<Spec extends AnySpec> {
  readonly folder: string;
  readonly manifest: ManifestOf<Spec>;
}

/** The host's work on a run, by its kind. */
export interface HostKind<Spec extends AnySpec> {
  /** Two runs of this kind, or one run given twice. Throws RunFailure `bad_input` where they share no metric. */
  compare(
    tasks: HeavyTasks,
    baseline: ComparedSide<Spec>,
    optimized: ComparedSide<Spec>,
  ): Promise<Comparison>;
  /** The page of a comparison, or of one run given twice. Throws RunFailure where there is nothing to report. */
  report(reads: RunReads, pair: ReportedPair): Promise<string>;
  /** The spec that a capture replays and the interval that it records, for the part between two times (ns of the run's clock). Throws CaptureError. */
  replayed(
    bundle: Bundle<Spec>,
    fromNs: number,
    toNs: number,
  ): Promise<{ readonly spec: Spec; readonly interval: CaptureInterval }>;
  /** The NVTX range that Nsight Compute counts where none was chosen; undefined: the whole run. */
  countedRange(spec: Spec): string | undefined;
  /** Writes the run as Chrome trace events. Throws CaptureError where nothing was recorded. */
  writeTrace(
    out: Writable,
    bundle: Bundle<Spec>,
    options: { readonly replicate?: number },
  ): Promise<{ readonly events: number }>;
  /** The points of the run on the roofline. Throws CaptureError where it recorded nothing to place. */
  points(folder: string, measured: readonly MeasuredCeilings[]): Promise<RunPoints>;
}

export interface ReportedPair {
  readonly baseline: string;
  readonly optimized: string;
  /** Of Dyno, which makes the report. */
  readonly version: string;
}
