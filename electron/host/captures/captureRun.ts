import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import { type CaptureInterval, intervalRange } from '../../../workloads/run/captureInterval.ts';
import { intervalVariable } from '../../shared/intervalMarks.ts';
import { withHostKind } from '../kinds/hostKinds.ts';
import { CaptureError } from './captureError.ts';
import type { CaptureProfile } from './captureProfile.ts';
import { captureEnvironment } from './environment.ts';
import { type CaptureResult, runCapture } from './job/captureJob.ts';
import type { ToolProgress } from './job/progress.ts';
import { ncuCommand } from './ncuArguments.ts';
import { type CaptureCommand, nsysCommand } from './nsysArguments.ts';
import { runnerCommand } from './runnerCommand.ts';
import { type CapturedRun, readRunnerEvents } from './runnerEvents.ts';
import { type FoundTool, findTool, type ToolId } from './tools.ts';

/**
 * A capture of one run spec, in a folder of its own:
 *
 *     spec.json  events.dyno  capture.log  capture.nsys-rep | capture.ncu-rep  capture.json
 */
export interface CaptureRequest {
  readonly tool: ToolId;
  readonly spec: AnySpec;
  readonly profile: CaptureProfile;
  readonly folder: string;
  readonly runner: string;
  readonly limitMs: number;
  /** Path of the tool, from the settings. */
  readonly setting?: string;
  /** Only what lies in this NVTX range. */
  readonly range?: string;
  /** Only this part of the run. */
  readonly interval?: CaptureInterval;
  readonly gpus?: readonly number[];
  /** ncu only. */
  readonly kernels?: string;
  readonly skip?: number;
  readonly count?: number;
  /** `all` (ncu's own choice) flushes caches before each pass; `none` leaves them as the run does. */
  readonly caches?: 'all' | 'none';
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ToolProgress) => void;
}

export interface PreparedCapture {
  readonly tool: FoundTool;
  readonly command: CaptureCommand;
  readonly events: string;
}

export interface FinishedCapture extends CaptureResult {
  readonly tool: FoundTool;
  readonly run: CapturedRun;
}

const reportName = 'capture';

/** Finds the tool and makes the command, without starting anything. */
export async function prepareCapture(request: CaptureRequest): Promise<PreparedCapture> {
  if (request.tool === 'ncu' && request.spec.engine === 'sim') {
    throw new CaptureError('bad_input', 'ncu profiles kernels, and the engine sim launches none', {
      hint: 'capture with nsys, or run the target on the engine cuda',
    });
  }
  const tool = await findTool(
    request.tool,
    request.setting === undefined ? {} : { setting: request.setting },
  );
  const events = join(request.folder, 'events.dyno');
  const command = runnerCommand({
    node: process.execPath,
    runner: request.runner,
    spec: join(request.folder, 'spec.json'),
    events,
  });
  const range = rangeOf(request);
  const common = {
    profile: request.profile,
    output: join(request.folder, reportName),
    command,
    ...(range === undefined ? {} : { range }),
  };
  const withInterval = (made: CaptureCommand): CaptureCommand =>
    request.interval === undefined
      ? made
      : {
          ...made,
          environment: { ...made.environment, [intervalVariable]: JSON.stringify(request.interval) },
        };
  if (request.tool === 'nsys') {
    const gpus = request.gpus === undefined ? {} : { gpus: request.gpus };
    const withoutCuda = request.spec.engine === 'sim';
    return {
      tool,
      events,
      command: withInterval(
        nsysCommand({ ...common, ...gpus, withoutCuda, nsys: tool.path, version: tool.version }),
      ),
    };
  }
  return {
    tool,
    events,
    command: withInterval(
      ncuCommand({
        ...common,
        ncu: tool.path,
        ...(request.kernels === undefined ? {} : { kernels: request.kernels }),
        ...(request.skip === undefined ? {} : { skip: request.skip }),
        ...(request.count === undefined ? {} : { count: request.count }),
        ...(request.caches === undefined ? {} : { caches: request.caches }),
      }),
    ),
  };
}

/** The NVTX range that is recorded; undefined: the whole run. */
function rangeOf({ range, interval, tool, spec }: CaptureRequest): string | undefined {
  if (range !== undefined) return range;
  if (interval !== undefined) return intervalRange;
  return tool === 'ncu' ? withHostKind(spec, (kind, own) => kind.countedRange(own)) : undefined;
}

export async function captureRun(request: CaptureRequest): Promise<FinishedCapture> {
  const { tool, command, events } = await prepareCapture(request);
  await mkdir(request.folder, { recursive: true });
  await writeFile(join(request.folder, 'spec.json'), `${JSON.stringify(request.spec, undefined, 2)}\n`);
  const result = await runCapture({
    command,
    environment: captureEnvironment(process.env, { ELECTRON_RUN_AS_NODE: '1' }),
    folder: request.folder,
    limitMs: request.limitMs,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
    ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress }),
  });
  const run = await readRunnerEvents(events);
  // nsys's session files; after a report there is nothing in them to save.
  await rm(join(request.folder, 'nvidia'), { recursive: true, force: true });
  const about = {
    schema: 1,
    target: request.spec.target,
    variant: request.spec.variant,
    engine: request.spec.engine,
    tool: { name: tool.tool, version: tool.version.text },
    profile: request.profile,
    ...(request.interval === undefined ? {} : { interval: request.interval }),
    state: result.state,
    command_line: result.commandLine,
    elapsed_ms: Math.round(result.elapsedMs),
    run: run.status,
    /** Latencies of a captured run say how the profiler slowed it, not how the target serves. */
    perturbed: true,
    left_out: command.leftOut,
  };
  await writeFile(join(request.folder, 'capture.json'), `${JSON.stringify(about, undefined, 2)}\n`);
  if (run.status === 'failed') {
    throw new CaptureError(
      run.error?.code === 'bad_input' ? 'bad_input' : 'failed',
      `the run inside the capture failed: ${run.error?.message ?? ''}`,
      {
        hint: `the report is kept in ${request.folder}`,
      },
    );
  }
  return { ...result, tool, run };
}
