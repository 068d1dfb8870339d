import { createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { CaptureError } from '../captureError.ts';
import { printable } from '../commandLine.ts';
import type { CaptureCommand } from '../nsysArguments.ts';
import { type LadderStep, ProcessGroup, stopLadder } from './processGroup.ts';
import { LineSplitter, parseProgress, type ToolProgress } from './progress.ts';
import { recogniseRefusal } from './refusals.ts';

/**
 * One capture: starts the tool, writes its output to `capture.log`, passes on progress, and ends in one of three ways.
 * Whatever the way, what the tool left behind stays in the folder.
 */
export interface CaptureOptions {
  readonly command: CaptureCommand;
  /** The whole environment of the tool: `captureEnvironment(process.env)`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** The capture is stopped, and its report still written, after this long. */
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ToolProgress) => void;
  readonly onLine?: (line: string) => void;
  readonly ladder?: readonly LadderStep[];
}

export interface CaptureResult {
  readonly state: 'done' | 'stopped_at_limit';
  /** The report, as the tool named it. */
  readonly report: string;
  readonly log: string;
  readonly commandLine: string;
  readonly exitCode: number | null;
  readonly elapsedMs: number;
}

export const logName = 'capture.log';
/** The end of a log that an error carries. */
const tailLength = 4_000;

/**
 * Throws CaptureError: `cancelled`, `missing` (a permission, a tool), or `failed` with the end of the log. A limit is no
 * failure where the tool still wrote its report.
 */
export async function runCapture(options: CaptureOptions): Promise<CaptureResult> {
  const started = performance.now();
  await mkdir(options.folder, { recursive: true });
  const logPath = join(options.folder, logName);
  const log = createWriteStream(logPath);
  const environment = { ...options.environment, ...options.command.environment };
  const commandLine = printable(options.command.argv, options.command.environment);
  log.write(`$ ${commandLine}\n`);
  for (const line of options.command.leftOut) log.write(`left out: ${line}\n`);

  let tail = '';
  let refusal: CaptureError | undefined;
  let named: string | undefined;
  const group = new ProcessGroup(options.command.argv, { cwd: options.folder, env: environment });
  const onLine = (line: string, isWhole: boolean) => {
    const progress = parseProgress(line);
    if (progress?.phase === 'report') named = progress.path;
    if (progress !== undefined) options.onProgress?.(progress);
    if (!isWhole) return;
    refusal ??= recogniseRefusal(line);
    if (line.trim() !== '') options.onLine?.(line);
  };
  for (const pipe of [group.child.stdout, group.child.stderr]) {
    const splitter = new LineSplitter();
    pipe?.setEncoding('utf8');
    pipe?.on('data', (chunk: string) => {
      if (!log.write(chunk)) {
        pipe.pause();
        log.once('drain', () => pipe.resume());
      }
      tail = (tail + chunk).slice(-tailLength);
      splitter.push(chunk, onLine);
    });
    pipe?.on('end', () => splitter.end(onLine));
  }

  let stoppedBy: 'limit' | 'cancel' | undefined;
  const stop = (why: 'limit' | 'cancel') => {
    stoppedBy ??= why;
    void group.stop(options.ladder ?? stopLadder);
  };
  const limit = setTimeout(() => stop('limit'), options.limitMs);
  const onAbort = () => stop('cancel');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) onAbort();

  try {
    const exit = await group.exit.catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new CaptureError('missing', `${options.command.argv[0]} could not be started: ${why}`);
    });
    group.sweep();
    const elapsedMs = performance.now() - started;
    const report = (await firstThere([named, options.command.report])) ?? undefined;
    const kept = report === undefined ? '' : `; what was recorded is in ${report}`;
    if (stoppedBy === 'cancel')
      throw new CaptureError('cancelled', `the capture was cancelled${kept}`, { detail: tail });
    if (refusal !== undefined && (report === undefined || exit.code !== 0)) {
      throw new CaptureError(refusal.code, refusal.message, { hint: refusal.hint ?? '', detail: tail });
    }
    if (report === undefined) {
      const how = exit.signal === null ? `exit status ${exit.code}` : `signal ${exit.signal}`;
      const limitText = stoppedBy === 'limit' ? ` after its limit of ${options.limitMs / 1000} s` : '';
      throw new CaptureError('failed', `the tool ended with ${how}${limitText} and left no report`, {
        hint: `its output is in ${logPath}`,
        detail: tail,
      });
    }
    return {
      state: stoppedBy === 'limit' ? 'stopped_at_limit' : 'done',
      report,
      log: logPath,
      commandLine,
      exitCode: exit.code,
      elapsedMs,
    };
  } finally {
    clearTimeout(limit);
    options.signal?.removeEventListener('abort', onAbort);
    log.end();
    // The log is an aid: a full disk must not hide the result of the capture.
    await finished(log).catch(() => undefined);
  }
}

async function firstThere(paths: readonly (string | undefined)[]): Promise<string | undefined> {
  for (const path of paths) {
    if (path === undefined) continue;
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.size > 0) return path;
  }
  return undefined;
}
