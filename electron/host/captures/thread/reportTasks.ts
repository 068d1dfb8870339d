import type { MeasuredCeilings } from '../../../../workloads/roofline/ceilings.ts';
import type {
  CaptureContents,
  EventLinks,
  FoundEvent,
  KernelChange,
  RunPoints,
  TimelineSlice,
  TimelineTables,
} from '../../../contract/captures.ts';

/** The path of a report, and the folder for files that a tool makes of it. */
export interface ReportFile {
  readonly file: string;
  readonly cacheFolder: string;
}

/** Questions about reports: their answers take longer than the host may be silent. */
export type ReportTasks = {
  readonly read: { readonly question: ReportFile; readonly result: CaptureContents };
  readonly timeline: {
    readonly question: ReportFile & {
      readonly fromNs: number;
      readonly toNs: number;
      readonly width: number;
    };
    readonly result: TimelineSlice;
  };
  readonly tables: {
    readonly question: ReportFile & { readonly fromNs: number; readonly toNs: number };
    readonly result: TimelineTables;
  };
  readonly links: {
    readonly question: ReportFile & {
      readonly lane: number;
      readonly startNs: number;
      readonly endNs: number;
    };
    readonly result: EventLinks;
  };
  readonly find: {
    readonly question: ReportFile & {
      readonly text: string;
      readonly fromNs: number;
      readonly direction: 'next' | 'previous';
    };
    readonly result: FoundEvent;
  };
  readonly compare: {
    readonly question: { readonly baseline: ReportFile; readonly optimized: ReportFile };
    readonly result: readonly KernelChange[];
  };
  readonly trace: {
    readonly question: ReportFile & { readonly path: string };
    readonly result: { readonly bytes: number };
  };
  readonly runPoints: {
    readonly question: { readonly folder: string; readonly measured: readonly MeasuredCeilings[] };
    readonly result: RunPoints;
  };
};
