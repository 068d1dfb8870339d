import type { CaptureInfo, Job } from './protocol.ts';
import type { SweepInfo } from './sweeps.ts';

/**
 * Live samples, one copy of a few typed arrays. The host sends at most two frames without an `live.ack`; what comes
 * meanwhile is put into the next frame.
 */
export interface FrameEvent {
  readonly event: 'frame';
  readonly frame: number;
  readonly run: string;
  /** Dictionary entries that are new in this frame; the key is the index. */
  readonly keys: readonly { readonly key: number; readonly source: string; readonly metric: string }[];
  /** Time since the run's start, ms; series key; value. Equal lengths. */
  readonly time_ms: Float64Array;
  readonly key: Int32Array;
  readonly value: Float64Array;
  /** The latest router decisions (at most 20 requests per frame), for the feed. */
  readonly decisions: readonly DecisionRow[];
}

export interface DecisionRow {
  readonly request: number;
  readonly time_ms: number;
  readonly stage: string;
  readonly chosen: number;
  readonly candidates: readonly {
    readonly instance: number;
    readonly score: number;
    readonly terms: Readonly<Record<string, number>>;
  }[];
}

export interface JobEvent {
  readonly event: 'job';
  readonly job: Job;
}

export interface RunsChangedEvent {
  readonly event: 'runs_changed';
}

export interface LogEvent {
  readonly event: 'log';
  readonly time_ms: number;
  readonly level: 'info' | 'warning' | 'error';
  readonly message: string;
}

export interface CaptureEvent {
  readonly event: 'capture';
  readonly capture: CaptureInfo;
}

export interface SweepEvent {
  readonly event: 'sweep';
  readonly sweep: SweepInfo;
}

export type HostEvent = FrameEvent | JobEvent | CaptureEvent | SweepEvent | RunsChangedEvent | LogEvent;
