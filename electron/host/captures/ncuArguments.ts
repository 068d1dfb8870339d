import { fastRoofline, fullRoofline, metricsOf } from '../../../workloads/roofline/counters.ts';
import type { CaptureProfile } from './captureProfile.ts';
import type { CaptureCommand } from './nsysArguments.ts';

export interface NcuRequest {
  readonly ncu: string;
  readonly profile: CaptureProfile;
  /** Path of the report without its ending. */
  readonly output: string;
  readonly command: readonly string[];
  /** Regular expression that kernel names must match; all kernels where absent. */
  readonly kernels?: string;
  /** Only launches inside this NVTX range. */
  readonly range?: string;
  /** Launches to skip and to profile: replay is slow, so a capture is always bounded. */
  readonly skip?: number;
  readonly count?: number;
  /**
   * `none` keeps the clocks that serving sees; `base` locks them (ncu's default): intensities stay valid, rates then
   * match no served figure.
   */
  readonly clocks?: 'none' | 'base';
  /** `all` flushes caches before each pass (reproducible); `none` leaves them as served. They differ most at decode sizes. */
  readonly caches?: 'all' | 'none';
  /** `kernel` saves and restores memory for each pass; `application` runs the program once per pass. */
  readonly replay?: 'kernel' | 'application' | 'range' | 'app-range';
}

export const defaultLaunches = 40;

/**
 * The argument list of `ncu`. Ranks that talk (NCCL) must not be replayed kernel by kernel: they wait for each other for
 * ever; use `application`, or filter them out by name.
 */
export function ncuCommand(request: NcuRequest): CaptureCommand {
  const argv = [
    request.ncu,
    '--target-processes=all',
    '--nvtx',
    `--replay-mode=${request.replay ?? 'kernel'}`,
    `--clock-control=${request.clocks ?? 'none'}`,
    `--cache-control=${request.caches ?? 'all'}`,
  ];
  if (request.range !== undefined)
    argv.push(`--nvtx-include=${request.range.endsWith('/') ? request.range : `${request.range}/`}`);
  if (request.kernels !== undefined) argv.push(`--kernel-name=regex:${request.kernels}`);
  if (request.skip !== undefined && request.skip > 0) argv.push(`--launch-skip=${request.skip}`);
  argv.push(`--launch-count=${request.count ?? defaultLaunches}`, ...metricArguments(request.profile));
  argv.push(`--export=${request.output}`, '--force-overwrite', ...request.command);
  return { argv, environment: {}, leftOut: [], report: `${request.output}.ncu-rep` };
}

function metricArguments(profile: CaptureProfile): string[] {
  // Peaks and clocks ride along in the same passes: they put the roof at the clock that was observed.
  const clocks = [
    'sm__cycles_elapsed.avg.per_second',
    'dram__cycles_elapsed.avg.per_second',
    'dram__bytes.sum.peak_sustained',
  ];
  switch (profile) {
    case 'minimal':
      return [`--metrics=${[...metricsOf(fastRoofline), ...clocks].join(',')}`];
    case 'roofline':
      return [`--metrics=${[...metricsOf(fullRoofline), ...clocks].join(',')}`];
    case 'deep_dive':
      return ['--set=detailed', `--metrics=${metricsOf(fullRoofline).join(',')}`];
    case 'full':
      return ['--set=full', '--import-source=yes', `--metrics=${metricsOf(fullRoofline).join(',')}`];
  }
}

/** `ncu --import`: the report as CSV in base units, one row per launch. */
export const ncuCsvCommand = (ncu: string, report: string): readonly string[] => [
  ncu,
  '--import',
  report,
  '--csv',
  '--page',
  'raw',
  '--print-units',
  'base',
];
