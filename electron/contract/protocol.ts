import { z } from 'zod';
import type { Capability, ServerReport } from '../../workloads/engines/http/servers/serverReport.ts';
import { sweepSpec } from '../../workloads/harness/sweep/sweepSpec.ts';
import { kernelSpec } from '../../workloads/kernels/kernelSpec.ts';
import type { MeasuredCeilings } from '../../workloads/roofline/ceilings.ts';
import { serverInstance } from '../../workloads/run/instanceSpec.ts';
import { runSpec, trafficSpec } from '../../workloads/run/spec.ts';
import type { TrafficSketch } from '../../workloads/traffic/trafficLook.ts';
import type {
  CaptureContents,
  EventLinks,
  FoundEvent,
  KernelChange,
  RunPoints,
  TimelineSlice,
  TimelineTables,
  ToolPresence,
} from './captures.ts';
import { type HostError, hostError } from './hostError.ts';
import type { DoctorCheck, MachineDescription, MachineSettings } from './machine.ts';
import type { QueueCurve } from './queueLab.ts';
import { queueQuestion } from './queueLab.ts';
import { runKindId } from './runKind.ts';
import type { SweepContents, SweepInfo } from './sweeps.ts';
import type { MachineTopology } from './topology.ts';

/**
 * What the window (or the command line) and the host say to each other. The renderer holds one MessagePort to the
 * host; every message is checked by these schemas on both sides. Errors cross as values.
 *
 *   renderer ── {id, method, params} ──► host
 *   renderer ◄─ {id, ok: true, result} | {id, ok: false, error} ── host
 *   renderer ◄─ {event, …} ── host          frames need an ack (credits), see `FrameEvent`
 */

export const jobState = z.enum(['queued', 'running', 'finishing', 'done', 'failed', 'cancelled']);
export type JobState = z.infer<typeof jobState>;

export const runStatus = z.enum(['running', 'done', 'failed', 'cancelled', 'interrupted']);
export type RunStatus = z.infer<typeof runStatus>;

/** A job is what one press of a button starts: one run, or both variants for an A/B comparison. */
export const job = z.object({
  job: z.string(),
  title: z.string(),
  state: jobState,
  runs: z.array(
    z.object({
      run: z.string(),
      target: z.string(),
      variant: z.string(),
      kind: runKindId,
      engine: z.string(),
      status: runStatus.or(z.literal('queued')),
    }),
  ),
  /** Index in `runs` of the run in progress. */
  current: z.int().min(0),
  done: z.number(),
  total: z.number(),
  /** The run's own clock, ns. */
  clock_ns: z.number(),
  started_ms: z.number(),
  elapsed_ms: z.number(),
  /** Absent until there is enough progress to tell. */
  eta_ms: z.number().optional(),
  /** Process id of the current runner. */
  pid: z.int().optional(),
  error: hostError.optional(),
});
export type Job = z.infer<typeof job>;

export const distribution = z.object({
  n: z.number(),
  mean: z.number(),
  min: z.number(),
  p50: z.number(),
  p90: z.number(),
  p95: z.number(),
  p99: z.number(),
  max: z.number(),
  relative_error: z.number().optional(),
});

/** One row of the history, read from a bundle's manifest and summary. */
export const runInfo = z.object({
  run: z.string(),
  /** Runs started by one press of a button share it. */
  group: z.string(),
  target: z.string(),
  title: z.string(),
  variant: z.string(),
  kind: runKindId,
  engine: z.string(),
  status: runStatus,
  started: z.string(),
  wall_s: z.number().optional(),
  requests: z.number().optional(),
  headline: z.object({
    ttft_p50_ms: z.number().optional(),
    ttft_p95_ms: z.number().optional(),
    tpot_p50_ms: z.number().optional(),
    goodput_rps: z.number().optional(),
    rejected: z.number().optional(),
  }),
  /** Of a run that measured kernels: what its summary says. */
  kernel: z
    .object({
      device: z.string(),
      iterations: z.number(),
      variants: z.array(z.object({ id: z.string(), median_ms: z.number() })),
      /** optimized / baseline, of the medians */
      ratio: z.number().optional(),
      ci95: z.tuple([z.number(), z.number()]).optional(),
      verification: z.enum(['passed', 'failed', 'not_run']),
      verdict: z.string(),
    })
    .optional(),
  /** What it was set to: parameters by id, and `model`, `gpu`, `tp`, `router`, `trace` … (`host/store/settingsOf.ts`). */
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  /** Why it failed. */
  error: hostError.optional(),
  tags: z.array(z.string()),
  note: z.string(),
  folder: z.string(),
  bytes: z.number(),
});
export type RunInfo = z.infer<typeof runInfo>;

export const comparisonRow = z.object({
  /** Dotted: `ttft_ms.p95`, `goodput_rps`. */
  metric: z.string(),
  /** Which part of the run it is about where there are several: a kernel variant. */
  of: z.string().optional(),
  baseline: z.number(),
  optimized: z.number(),
  /** optimized / baseline */
  ratio: z.number(),
  ci95: z.tuple([z.number(), z.number()]),
  /** The interval excludes 1. */
  significant: z.boolean(),
  better: z.enum(['lower', 'higher']),
  verdict: z.enum(['better', 'worse', 'no_evidence']),
});
export type ComparisonRow = z.infer<typeof comparisonRow>;

export const comparison = z.object({
  baseline: z.string(),
  optimized: z.string(),
  /** "TTFT p95 is 31 % lower (95 % CI 27–35); goodput unchanged." */
  verdict: z.string(),
  rows: z.array(comparisonRow),
  /** How the intervals were made: resamples, blocks, seed. */
  method: z.string(),
  verification: z.object({ status: z.string(), method: z.string(), detail: z.string().optional() }),
  /** Where the two specs (or machines) differ; dotted path and both values as text. */
  differences: z.array(z.object({ path: z.string(), baseline: z.string(), optimized: z.string() })),
  /** Things a reader must know: unlike traffic, an instance that took nearly all requests, an unfinished run. */
  warnings: z.array(z.string()),
});
export type Comparison = z.infer<typeof comparison>;

/** How fast a simulated run is played: as fast as possible, or this many simulated seconds per second. */
export const pace = z.union([z.literal('max'), z.number().positive()]);
export type Pace = z.infer<typeof pace>;

/** `trace` is Chrome's trace event format: requests, iterations and router decisions, for ui.perfetto.dev. */
export const exportFormat = z.enum([
  ...(['csv', 'json', 'parquet', 'bundle', 'trace'] as const),
  // Files of other load generators.
  ...(['vllm', 'aiperf', 'mooncake'] as const),
]);

export const captureTool = z.enum(['nsys', 'ncu']);
export type CaptureTool = z.infer<typeof captureTool>;
export const captureProfile = z.enum(['minimal', 'roofline', 'deep_dive', 'full']);
export type CaptureProfile = z.infer<typeof captureProfile>;
export const captureState = z.enum(['queued', 'running', 'importing', 'done', 'failed', 'cancelled']);
export type CaptureState = z.infer<typeof captureState>;

/** A profiler's recording of one run, or a report file that was opened. */
export const captureInfo = z.object({
  capture: z.string(),
  /** `cupti`: no profiler, a run that recorded its own kernels. */
  tool: z.enum(['nsys', 'ncu', 'cupti']),
  title: z.string(),
  state: captureState,
  /** Its current step: `recording`, `kernel 3 (gemm): 17 passes`. */
  progress: z.string(),
  /** 0..1, where the tool tells. */
  done: z.number().optional(),
  started_ms: z.number(),
  elapsed_ms: z.number(),
  /** Absent for an opened file. */
  target: z.string().optional(),
  variant: z.string().optional(),
  engine: z.string().optional(),
  profile: captureProfile.optional(),
  /** The command line that makes the same capture. */
  command: z.string(),
  /** The tool's own command line. */
  tool_command: z.string().optional(),
  report: z.string().optional(),
  folder: z.string().optional(),
  /** The captured run's bundle. */
  run: z.string().optional(),
  /** The part of a run that it records, in words. */
  interval: z.string().optional(),
  error: hostError.optional(),
});
export type CaptureInfo = z.infer<typeof captureInfo>;

/** Longest texts, in characters; what a manifest of another origin says beyond them is not shown. */
export const mostTitleLength = 500;
export const mostNoteLength = 20_000;
export const mostTags = 50;
export const mostTagLength = 100;

/** Ids of runs, jobs, captures and sweeps; on the command line the path of a bundle as well. */
const id = z.string().min(1).max(4096);
/** Names of metrics, sources and columns. */
const name = z.string().max(200);
/** An absolute path on the command line; of a window a grant that main made when a dialog was answered. */
const path = z.string().min(1).max(4096);
const title = z.string().max(mostTitleLength);

/** A profiler around a run. */
const captureOrder = z.object({
  tool: captureTool,
  spec: z.union([runSpec, kernelSpec]),
  title,
  profile: captureProfile,
  limit_s: z.number().positive().max(86_400).default(300),
  /** Only what lies in this NVTX range. */
  range: z.string().min(1).max(1000).optional(),
  /** ncu: kernels whose name matches this regular expression, how many launches to pass over, and how many to profile. */
  kernels: z.string().min(1).max(1000).optional(),
  skip: z.int().min(0).optional(),
  count: z.int().min(1).optional(),
});

const range = z.object({ from_ns: z.number(), to_ns: z.number() });

/** The tables of a run. */
export const runTable = z.enum([
  'requests',
  'iterations',
  'decisions',
  'kv',
  'samples',
  'events',
  'kernels',
  'spans',
  'log',
]);
export type RunTable = z.infer<typeof runTable>;

/** Every method: its parameters. Results are typed in `HostResults`. */
export const hostMethods = {
  /** Targets with parameters, variants, lesson (the pure catalogue is also in the renderer; this adds availability). */
  'machine.describe': z.object({}),
  /** GPUs, what is near them and the links between them. */
  'machine.topology': z.object({}),
  'doctor.check': z.object({}),
  /** Paths that the user set, for the window and the command line. */
  'settings.read': z.object({}),
  /** `null` goes back to the default; what is absent stays as it is. A tool must answer `--version`. */
  'settings.write': z.object({
    nsys: path.nullable().optional(),
    ncu: path.nullable().optional(),
    runs_folder: path.nullable().optional(),
  }),
  /** Frames of the GPUs' samples whatever run is shown, named `machine`; time counts from when the host began to sample. */
  'machine.watch': z.object({ on: z.boolean() }),
  /** Says what a file is; the result of a load generator becomes a run. `bad_input` says what it is where Dyno does not read it. */
  'files.open': z.object({ path }),
  /** Reads a trace's head and totals for the preview; `bad_input` names file and line. */
  'traffic.preview': z.object({
    traffic: trafficSpec,
    seed: z.int(),
    bins: z.int().min(10).max(1000).default(120),
  }),
  /** Asks a server what it is and what it tells; two equal requests of two tokens each are sent. What it does not answer is in the report. */
  'servers.probe': z.object({ server: serverInstance }),
  'runs.start': z.object({
    title,
    specs: z
      .array(z.union([runSpec, kernelSpec]))
      .min(1)
      .max(64),
    pace,
  }),
  'jobs.cancel': z.object({ job: id }),
  'jobs.list': z.object({}),
  /** Sends frames of this run to this port until `run: null`. Past samples come first. */
  'live.watch': z.object({ run: id.nullable() }),
  'live.ack': z.object({ frame: z.int() }),
  /** `since`: the revision of an earlier answer; only what changed after it comes. */
  'runs.list': z.object({ since: z.string().max(100).optional() }),
  'runs.open': z.object({ run: id }),
  'runs.annotate': z.object({
    run: id,
    tags: z.array(z.string().max(mostTagLength)).max(mostTags).optional(),
    note: z.string().max(mostNoteLength).optional(),
  }),
  'runs.delete': z.object({ runs: z.array(id).max(100_000) }),
  /** Brings back what was deleted within the last minute. */
  'runs.restore': z.object({ runs: z.array(id).max(100_000) }),
  /** Series of a run, decimated to at most `width` buckets with their minimum, maximum and last value. */
  'runs.series': z.object({
    run: id,
    series: z.array(z.object({ source: name, metric: name })).max(400),
    range: range.optional(),
    width: z.int().min(10).max(10_000),
    /** Replicate; each has a time axis of its own. Live frames show the first one. */
    iteration: z.int().min(0).default(0),
  }),
  /** Which (source, metric) pairs a run holds. */
  'runs.sources': z.object({ run: id }),
  /** Empirical CDF of a latency column at `points` quantiles. */
  'runs.cdf': z.object({ run: id, metric: name, points: z.int().min(10).max(2000) }),
  /** A page of a table, as columns. `order` names a column, `-` before it for descending. */
  'runs.rows': z.object({
    run: id,
    table: runTable,
    filter: z
      .array(
        z.object({
          column: name,
          op: z.enum(['=', '<', '<=', '>', '>=', 'contains']),
          value: z.union([z.number(), z.string().max(1000), z.boolean()]),
        }),
      )
      .max(50)
      .default([]),
    order: name.optional(),
    offset: z.int().min(0).default(0),
    limit: z.int().min(1).max(10_000).default(200),
  }),
  /** Every candidate's score by term for one request. */
  'runs.decisions': z.object({ run: id, request: z.int(), iteration: z.int().default(0) }),
  'runs.compare': z.object({ baseline: id, optimized: id }),
  /** Writes to `path` (chosen in a dialog, or given on the command line). */
  'runs.export': z.object({
    run: id,
    format: exportFormat,
    table: runTable.or(z.literal('summary')).optional(),
    path,
  }),
  'runs.report': z.object({ baseline: id, optimized: id, path }),
  /** A run's passes as roofline points. */
  'runs.roofline': z.object({ run: id }),
  /** Measured ceilings by card; `path` adds what `dyno ceilings --json` printed. */
  'roofline.ceilings': z.object({ path: path.optional() }),
  /** Which profilers this machine has. */
  'captures.tools': z.object({}),
  'captures.list': z.object({}),
  'captures.start': captureOrder,
  /** The command lines that `captures.start` would run: Dyno's and the tool's. */
  'captures.preview': captureOrder,
  /** Exactly this part of a run, replayed: from one time of its clock to another. */
  'captures.startPart': z.object({
    run: id,
    from_ns: z.number().min(0),
    to_ns: z.number().positive(),
    tool: captureTool,
    profile: captureProfile.default('minimal'),
    limit_s: z.number().positive().max(86_400).default(300),
  }),
  /** The kernel timeline that a run recorded of itself. */
  'captures.openRun': z.object({ run: id }),
  /** Opens the report in Nsight's own window. */
  'captures.showInNsight': z.object({ capture: id }),
  'captures.cancel': z.object({ capture: id }),
  /** The same capture again. */
  'captures.retry': z.object({ capture: id }),
  /** Takes it off the list; what Dyno recorded is removed from disk, an opened file stays where it is. */
  'captures.remove': z.object({ capture: id }),
  /** A report that is there already: .nsys-rep, .sqlite, .ncu-rep, .csv. */
  'captures.open': z.object({ path }),
  'captures.read': z.object({ capture: id }),
  'captures.timeline': z.object({
    capture: id,
    from_ns: z.number(),
    to_ns: z.number(),
    width: z.int().min(10).max(10_000),
  }),
  /** The tables of what overlaps that time. */
  'captures.tables': z.object({ capture: id, from_ns: z.number(), to_ns: z.number() }),
  /** The events that belong to one of them by correlation. */
  'captures.links': z.object({
    capture: id,
    lane: z.int().min(0),
    start_ns: z.number(),
    end_ns: z.number(),
  }),
  /** The next event by name from a time on. */
  'captures.find': z.object({
    capture: id,
    text: z.string().min(1).max(500),
    from_ns: z.number(),
    direction: z.enum(['next', 'previous']),
  }),
  'captures.compare': z.object({ baseline: id, optimized: id }),
  /** Starts a sweep; its progress comes as `sweep` events. `folder` is for the command line. */
  'sweeps.start': z.object({
    title,
    spec: sweepSpec,
    jobs: z.int().min(1).max(1024).optional(),
    folder: path.optional(),
  }),
  /** Goes on where a sweep stood. */
  'sweeps.resume': z.object({ sweep: id, jobs: z.int().min(1).max(1024).optional() }),
  'sweeps.cancel': z.object({ sweep: id }),
  'sweeps.list': z.object({}),
  'sweeps.read': z.object({ sweep: id }),
  'sweeps.delete': z.object({ sweep: id }),
  /** The queueing bench at each load, beside the closed forms where there is one. */
  'queue.run': queueQuestion,
  /** The timeline as a Chrome trace. */
  'captures.export': z.object({ capture: id, path }),
} as const;
export type { Capability, ServerReport };
export type HostMethod = keyof typeof hostMethods;
export type HostParams<M extends HostMethod> = z.input<(typeof hostMethods)[M]>;
/** As the host gets them: defaults filled in. */
export type HostQuestion<M extends HostMethod> = z.output<(typeof hostMethods)[M]>;

/** Columns of a result page: name, type, unit and values; absent values are null. */
export interface Page {
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly unit: string;
    readonly values: readonly (number | string | boolean | null)[];
  }[];
  readonly rows: number;
  readonly total: number;
}

export interface SeriesResult {
  readonly source: string;
  readonly metric: string;
  /** Row-interleaved [t ms, last, min, max] per bucket, time since the run's start. A gap is a bucket with NaN. */
  readonly points: Float64Array;
}

export interface RunDetails {
  readonly info: RunInfo;
  readonly manifest: unknown;
  readonly summary: unknown;
  /** Files that are not what was sealed: one line each. What they hold is not shown; the others are. */
  readonly damage: readonly string[];
}

/** The format of a file, and how its values were understood, one phrase each. */
export interface OpenedFile {
  readonly kind: 'trace' | 'timeline' | 'counters' | 'result' | 'model' | 'run' | 'spec';
  readonly what: string;
  readonly findings: readonly string[];
  /** Runs that a result became. */
  readonly runs: readonly string[];
}

/** The preview of traffic in the form. */
export type TrafficPreview = TrafficSketch;

export interface HostResults {
  'machine.describe': MachineDescription;
  'machine.watch': Record<string, never>;
  'machine.topology': MachineTopology;
  'settings.read': MachineSettings;
  'settings.write': MachineSettings;
  'doctor.check': { readonly checks: readonly DoctorCheck[] };
  'files.open': OpenedFile;
  'traffic.preview': TrafficPreview;
  'servers.probe': ServerReport;
  'runs.start': { readonly job: string; readonly runs: readonly string[] };
  'jobs.cancel': Record<string, never>;
  'jobs.list': { readonly jobs: readonly Job[] };
  'live.watch': Record<string, never>;
  'live.ack': Record<string, never>;
  'runs.list': {
    readonly revision: string;
    /** Everything, not only what changed since the revision that was asked for. */
    readonly isWhole: boolean;
    readonly runs: readonly RunInfo[];
    readonly removed: readonly string[];
    readonly unreadable: readonly { readonly folder: string; readonly reason: string }[];
  };
  'runs.open': RunDetails;
  'runs.annotate': Record<string, never>;
  'runs.delete': Record<string, never>;
  'runs.restore': Record<string, never>;
  'runs.series': { readonly series: readonly SeriesResult[] };
  'runs.sources': {
    readonly sources: readonly { readonly source: string; readonly metric: string; readonly n: number }[];
  };
  'runs.cdf': { readonly values: Float64Array; readonly n: number };
  'runs.rows': Page;
  'runs.decisions': Page;
  'runs.compare': Comparison;
  'runs.export': { readonly path: string; readonly bytes: number };
  'runs.report': { readonly path: string; readonly bytes: number };
  'runs.roofline': RunPoints;
  'roofline.ceilings': { readonly cards: readonly MeasuredCeilings[] };
  'captures.tools': { readonly tools: readonly ToolPresence[] };
  'captures.list': { readonly captures: readonly CaptureInfo[] };
  'captures.start': { readonly capture: string };
  'captures.preview': { readonly command: string; readonly tool_command?: string; readonly problem?: string };
  'captures.startPart': { readonly capture: string; readonly interval: string };
  'captures.openRun': { readonly capture: string };
  'captures.showInNsight': Record<string, never>;
  'captures.cancel': Record<string, never>;
  'captures.retry': { readonly capture: string };
  'captures.remove': Record<string, never>;
  'captures.open': { readonly capture: string };
  'captures.read': CaptureContents;
  'captures.timeline': TimelineSlice;
  'captures.tables': TimelineTables;
  'captures.links': EventLinks;
  'captures.find': FoundEvent;
  'captures.compare': { readonly kernels: readonly KernelChange[] };
  'captures.export': { readonly path: string; readonly bytes: number };
  'sweeps.start': { readonly sweep: string };
  'sweeps.resume': { readonly sweep: string };
  'sweeps.cancel': Record<string, never>;
  'sweeps.list': { readonly sweeps: readonly SweepInfo[] };
  'sweeps.read': SweepContents;
  'sweeps.delete': Record<string, never>;
  'queue.run': QueueCurve;
}

/** The envelope; the method's own schema checks `params`. */
export const hostRequest = z.object({ id: z.int(), method: z.string().max(100), params: z.unknown() });
export type HostRequest = { readonly id: number; readonly method: HostMethod; readonly params: unknown };
export type HostReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly error: HostError };
