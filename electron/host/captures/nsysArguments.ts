import { dirname } from 'node:path';
import type { CaptureProfile } from './captureProfile.ts';
import { isAtLeast, type ToolVersion } from './tools.ts';

export interface NsysRequest {
  readonly nsys: string;
  readonly version: ToolVersion;
  readonly profile: CaptureProfile;
  /** Path of the report without its ending. */
  readonly output: string;
  /** The program to run, argument by argument. */
  readonly command: readonly string[];
  /** GPUs whose metrics are sampled (profiles deep_dive and full); none where empty. */
  readonly gpus?: readonly number[];
  /**
   * Record only this NVTX range (`capture exactly this`): `name@domain`. Needs the runner's ranges; names are not
   * registered strings, which nsys must be told.
   */
  readonly range?: string;
  /** A machine without a GPU: operating-system calls and NVTX only. */
  readonly withoutCuda?: boolean;
}

export interface CaptureCommand {
  readonly argv: readonly string[];
  /** Variables that the tool needs, beside the minimal environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The options that this version lacks and that were left out. */
  readonly leftOut: readonly string[];
  /** The file that a successful run leaves. */
  readonly report: string;
}

/**
 * The argument list of `nsys profile`, version by version: `--gpu-metrics-device` became `--gpu-metrics-devices` in 2024.1,
 * and CPU context-switch sampling is off unless asked, since it needs a permission that containers lack.
 */
export function nsysCommand(request: NsysRequest): CaptureCommand {
  const { profile, version } = request;
  const leftOut: string[] = [];
  const deep = profile === 'deep_dive' || profile === 'full';
  const traces = request.withoutCuda
    ? ['osrt', 'nvtx']
    : ['cuda', 'nvtx', ...(profile === 'full' ? ['osrt', 'cublas'] : [])];
  const argv = [
    request.nsys,
    'profile',
    `--trace=${traces.join(',')}`,
    `--sample=${profile === 'full' ? 'process-tree' : 'none'}`,
    '--cpuctxsw=none',
    '--force-overwrite=true',
    `--output=${request.output}`,
  ];
  if (!request.withoutCuda) {
    argv.push(
      `--cuda-graph-trace=${profile === 'minimal' ? 'graph' : 'node'}`,
      '--cuda-flush-interval=10000',
    );
    if (profile === 'full') argv.push('--cuda-memory-usage=true');
    const gpus = request.gpus ?? [];
    if (deep && gpus.length > 0) {
      const option = isAtLeast(version, 2024, 1) ? '--gpu-metrics-devices' : '--gpu-metrics-device';
      argv.push(`${option}=${gpus.join(',')}`, '--gpu-metrics-frequency=10000');
    } else if (deep) leftOut.push('GPU metrics: no GPU was named');
  } else if (deep) leftOut.push('GPU metrics: this machine has no GPU');
  // nsys keeps the recording in TMPDIR until it has made a report of it: in the capture's folder, a crash leaves it there.
  const environment: Record<string, string> = { TMPDIR: dirname(request.output) };
  if (request.range !== undefined) {
    argv.push('--capture-range=nvtx', `--nvtx-capture=${request.range}`, '--capture-range-end=stop');
    environment['NSYS_NVTX_PROFILER_REGISTER_ONLY'] = '0';
  }
  // The runner finishes its own bundle when it is asked to stop: nsys must not end it first.
  argv.push('--kill=none', '--wait=primary', ...request.command);
  return { argv, environment, leftOut, report: `${request.output}.nsys-rep` };
}

/** `nsys export`: the report as SQLite. */
export const nsysExportCommand = (nsys: string, report: string, sqlite: string): readonly string[] => [
  nsys,
  'export',
  '--type=sqlite',
  '--lazy=true',
  '--quiet=true',
  '--force-overwrite=true',
  `--output=${sqlite}`,
  report,
];
