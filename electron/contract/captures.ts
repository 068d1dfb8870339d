import type { Ceilings } from '../../workloads/roofline/ceilings.ts';
import type { RooflinePoint } from '../../workloads/roofline/point.ts';
import type { CaptureTool } from './protocol.ts';

/** The content of a report, as the window shows it. Times are ns since the start of the recording. */

/** All events of one name. */
export interface NameRow {
  readonly name: string;
  readonly count: number;
  readonly totalNs: number;
  /** Of the total of all rows, 0..1. */
  readonly share: number;
  readonly minNs: number;
  readonly medianNs: number;
  readonly maxNs: number;
}

export interface CopyRow {
  readonly kind: string;
  readonly count: number;
  readonly bytes: number;
  readonly totalNs: number;
  readonly bytesPerSec?: number;
}

/** A GPU between its first kernel's start and its last one's end. */
export interface GpuActivity {
  readonly device: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly busyNs: number;
  readonly idleNs: number;
  /** Why the GPU waited: `host` launched too late, `kernel` hand-over, `other` waiting, `unknown`. */
  readonly idleByCause: Readonly<Record<'host' | 'kernel' | 'other' | 'unknown', number>>;
  readonly concurrentKernels: number;
  readonly copiesHidden?: number;
  readonly communicationHidden?: number;
  readonly longestIdleNs?: number;
}

/** A GPU without a kernel between two of them. */
export interface GapRow {
  readonly device: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly cause: 'host' | 'kernel' | 'other' | 'unknown';
  /** The name of the kernel that ended it. */
  readonly nextKernel: string;
}

/** What happened between two times: events that overlap it, each with its whole length; the longest total first. */
export interface TimelineTables {
  readonly kernels: readonly NameRow[];
  readonly ranges: readonly NameRow[];
  readonly apiCalls: readonly NameRow[];
  readonly osCalls: readonly NameRow[];
  readonly copies: readonly CopyRow[];
  /** The longest, at most 200. */
  readonly gaps: readonly GapRow[];
}

export interface TimelineContents {
  readonly kind: 'nsys';
  readonly file: string;
  readonly tool: string;
  readonly gpus: readonly string[];
  readonly startNs: number;
  readonly endNs: number;
  readonly rows: readonly TimelineLane[];
  readonly activity: readonly GpuActivity[];
  /** Of the whole recording. */
  readonly tables: TimelineTables;
  /** Rows that a table left out because there are too many names. */
  readonly missing: readonly string[];
  readonly diagnostics: readonly string[];
}

export interface CountersContents {
  readonly kind: 'ncu';
  readonly file: string;
  readonly readBy: 'ncu' | 'dyno';
  readonly card?: string;
  readonly points: readonly RooflinePoint[];
  /** At the clocks that the capture saw. */
  readonly ceilings?: Ceilings;
  readonly missing: readonly string[];
}

export type CaptureContents = TimelineContents | CountersContents;

export interface TimelineLane {
  readonly id: string;
  readonly label: string;
  readonly kind: 'range' | 'api' | 'kernel' | 'copy' | 'os';
  readonly events: number;
}

/**
 * What lies between two times, for a picture of so many pixels: rows of [lane, start ns, end ns, name, events]. Events
 * shorter than a pixel are joined with their neighbours (name −1, events > 1), so none vanishes.
 */
export interface TimelineSlice {
  readonly blocks: Float64Array;
  readonly names: readonly string[];
}

/** One event of the timeline; `lane` is a row of `TimelineContents.rows`. */
export interface TimelineEvent {
  readonly kind: TimelineLane['kind'];
  readonly lane: number;
  readonly startNs: number;
  readonly endNs: number;
  /** '' where the event has none (copies). */
  readonly name: string;
}

/** An event and those that belong to it by correlation: launch call, kernel, the range around the call. */
export interface EventLinks {
  readonly chosen: TimelineEvent;
  /** Ranges, then calls, then kernels, at most 200; those on lanes that are not drawn are left out. */
  readonly linked: readonly TimelineEvent[];
  /** All kernels that belong to it, and their time. */
  readonly kernels: number;
  readonly kernelNs: number;
}

/** A search by name; `event` is absent where nothing has it. */
export interface FoundEvent {
  readonly total: number;
  readonly index?: number;
  readonly event?: TimelineEvent;
}

/** Two captures kernel by kernel; the largest change of total time first. */
export interface KernelChange {
  readonly name: string;
  readonly baseline?: NameRow;
  readonly optimized?: NameRow;
  readonly totalDifferenceNs: number;
  readonly medianRatio?: number;
}

/** Passes of a simulated run, by instance and kind, or the kernels of a run that measured some, each under the roof of its card. */
export interface RunPoints {
  readonly title: string;
  /** The id of its model's shape; absent for kernels. */
  readonly model?: string;
  readonly points: readonly { readonly point: RooflinePoint; readonly ceilings: Ceilings }[];
}

/** A profiler that is here, or why not and what works without it. */
export interface ToolPresence {
  readonly tool: CaptureTool;
  readonly path?: string;
  readonly version?: string;
  readonly missing?: string;
  readonly advice?: string;
  readonly without?: string;
  /** Nsight's own window for its reports (nsys-ui, ncu-ui), or why it is not offered. */
  readonly ui?: string;
  readonly ui_missing?: string;
}
