import { createWriteStream, existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import { type CaptureInterval, intervalText } from '../../../workloads/run/captureInterval.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { shellWord } from '../../../workloads/run/shellWord.ts';
import { CaptureError } from '../../host/captures/captureError.ts';
import { rememberCapture } from '../../host/captures/captureFolders.ts';
import { type CaptureProfile, captureProfiles, profileText } from '../../host/captures/captureProfile.ts';
import { type CaptureRequest, captureRun, prepareCapture } from '../../host/captures/captureRun.ts';
import { printable } from '../../host/captures/commandLine.ts';
import { type ImportLimits, importLimits } from '../../host/captures/importBudget.ts';
import { type ImportedReport, importReport } from '../../host/captures/importReport.ts';
import { captureOfRun } from '../../host/captures/intervalOf.ts';
import type { ToolProgress } from '../../host/captures/job/progress.ts';
import { deviceActivity } from '../../host/captures/nsys/activity.ts';
import { mergeReports } from '../../host/captures/nsys/mergeReports.ts';
import type { NsysReport } from '../../host/captures/nsys/nsysReport.ts';
import { kernelsByRange, summariseCopies, summariseNames } from '../../host/captures/nsys/summaries.ts';
import type { ToolId } from '../../host/captures/tools.ts';
import { writeCaptureTrace } from '../../host/captures/trace/captureTrace.ts';
import { readManifest } from '../../host/store/manifest.ts';
import { isRunId, newRunId, runsFolder } from '../../host/store/runsFolder.ts';
import { withKind } from '../../shared/kinds/runKinds.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import { captureFolder } from '../captureFolder.ts';
import type { CommandLineCommand, Run } from '../commandLine.ts';
import { commandsOf } from '../kinds/cliKinds.ts';
import { integer, oneOf, positive } from '../options.ts';
import { addSpecOptions, type SpecOptions } from '../specOptions.ts';
import type { Terminal } from '../terminal.ts';
import { textTable } from '../textTable.ts';

interface CaptureOptions extends SpecOptions {
  readonly run?: string;
  readonly from?: number;
  readonly to?: number;
  readonly profile: CaptureProfile;
  readonly timeLimit: number;
  readonly range?: string;
  readonly gpus?: string;
  readonly kernels?: string;
  readonly skip?: number;
  readonly count?: number;
  readonly caches?: 'all' | 'none';
  readonly tool?: string;
  readonly out?: string;
  readonly printCommand?: boolean;
  readonly json?: boolean;
}

/** Nsight captures: make one, or open a report that is there. */
export const capture: CommandLineCommand = {
  name: 'capture',
  register(program, terminal, run) {
    const group = program
      .command('capture')
      .description('Nsight captures: nsys (timeline), ncu (kernel counters), open (a report)');
    registerTool(group, 'nsys', 'capture a run’s timeline with Nsight Systems', terminal, run);
    registerTool(group, 'ncu', 'capture a run’s kernels with Nsight Compute', terminal, run);
    group
      .command('open <files...>')
      .description(
        'what a report says: .nsys-rep, .sqlite, .ncu-rep, .csv, or the folder of a run that recorded its kernels; the timelines of several ranks as one',
      )
      .option('--from <s>', 'only what happens from this second of the timeline on', seconds)
      .option('--to <s>', 'only what happens up to this second of the timeline', seconds)
      .option('--chrome-trace <file>', 'write the timeline as a Chrome trace (opens in Perfetto)')
      .option('--json', 'print one JSON document')
      .action((files: readonly string[], options: OpenOptions) =>
        run(() =>
          plainErrors(async () => {
            const imported = await importRanks(files, partOf(options));
            if (options.chromeTrace !== undefined) await exportTrace(imported, options.chromeTrace, terminal);
            show(imported, options.json === true, terminal);
            return 0;
          }),
        ),
      );
  },
};

interface OpenOptions {
  readonly from?: number;
  readonly to?: number;
  readonly chromeTrace?: string;
  readonly json?: boolean;
}

function partOf({ from, to }: OpenOptions): Pick<ImportLimits, 'part'> {
  if (from === undefined && to === undefined) return {};
  if (from !== undefined && to !== undefined && to <= from)
    throw new InputError(`--to: ${to} s, expected more than --from ${from} s`);
  return { part: { fromNs: (from ?? 0) * 1e9, toNs: (to ?? Number.POSITIVE_INFINITY) * 1e9 } };
}

const isEmpty = ({ kernels, copies, ranges, apiCalls, osCalls }: NsysReport): boolean =>
  [kernels, copies, ranges, apiCalls, osCalls].every(({ rows }) => rows === 0);

/** One report, or those of several ranks as one timeline. */
async function importRanks(
  files: readonly string[],
  part: Pick<ImportLimits, 'part'>,
): Promise<ImportedReport> {
  const found: ImportedReport[] = [];
  const limits = { ...importLimits, ...part };
  for (const file of files)
    found.push(await importReport(resolve(file), { cacheFolder: captureFolder('cache'), limits }));
  const other = found.find(({ kind }) => kind !== 'nsys');
  if (part.part !== undefined && other !== undefined)
    throw new InputError(`${other.file}: counters of kernels, expected a timeline for --from and --to`);
  for (const each of found)
    if (part.part !== undefined && each.kind === 'nsys' && isEmpty(each.report))
      throw new InputError(
        `${each.file}: no event between --from and --to, expected seconds of its timeline`,
      );
  const [first] = found;
  if (first === undefined || found.length === 1) return first ?? importReport('', { cacheFolder: '' });
  const ranks = found.map((each) => {
    if (each.kind === 'nsys') return each;
    throw new InputError(`${each.file}: counters of kernels, expected a timeline beside the other ranks`);
  });
  const report = mergeReports(ranks);
  return { kind: 'nsys', file: files.join(', '), sqlite: ranks[0]?.sqlite ?? '', report };
}

function registerTool(group: Command, tool: ToolId, description: string, terminal: Terminal, run: Run): void {
  const command = group.command(`${tool} [target]`).description(description);
  addSpecOptions(command, 'the variant (default: optimized)', 'none')
    .option(
      '--profile <name>',
      captureProfiles.map((profile) => `${profile}: ${profileText[profile][tool]}`).join('\n'),
      oneOf(...captureProfiles),
      'minimal',
    )
    .option('--time-limit <s>', 'stop after this long; what was recorded is kept', positive('seconds'), 300)
    .option('--range <name>', 'only what lies in this NVTX range')
    .option('--run <id>', 'capture this run again (its id, or the folder of its bundle)')
    .option(
      '--from <s>',
      'with --run: from this second of its clock; a simulated run is replayed whole and recorded between --from and --to, of a run of kernels the rounds in between run again',
      seconds,
    )
    .option('--to <s>', 'with --run: to this second', seconds)
    .option('--tool <path>', `the ${tool} to use (else PATH, then the usual folders)`)
    .option('--out <folder>', 'where report and log go (else the captures folder)')
    .option('--print-command', 'print the command line and stop')
    .option('--json', 'print one JSON document');
  if (tool === 'ncu')
    command
      .option('--kernels <regex>', 'only kernels whose name matches')
      .option('--skip <n>', 'launches to skip', integer(0, 1e9))
      .option('--count <n>', 'launches to profile', integer(1, 1e6))
      .option(
        '--caches <how>',
        'all: flushed before each pass, reproducible (default); none: as the run leaves them',
        oneOf('all', 'none'),
      );
  command.action((target: string | undefined, options: CaptureOptions) =>
    run(() =>
      plainErrors(async () => {
        const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
        return captureTarget(tool, await subjectOf(target, options, isGiven), options, terminal);
      }),
    ),
  );
}

interface Subject {
  readonly spec: AnySpec;
  readonly title: string;
  readonly interval?: CaptureInterval;
}

/** The run to capture: of a target, or an existing one, whole or in part. */
async function subjectOf(
  target: string | undefined,
  options: CaptureOptions,
  isGiven: (option: string) => boolean,
): Promise<Subject> {
  if (options.run !== undefined) {
    if (target !== undefined)
      throw new InputError(`--run ${options.run} names its own target: leave "${target}" away`);
    const folder = runFolder(options.run);
    if (options.from !== undefined || options.to !== undefined)
      return captureOfRun(
        folder,
        (options.from ?? 0) * 1e9,
        options.to === undefined ? Number.MAX_SAFE_INTEGER : options.to * 1e9,
      );
    const { spec, title } = await readManifest(folder);
    return { spec, title };
  }
  if (options.from !== undefined || options.to !== undefined)
    throw new InputError('--from and --to are seconds of a run: name it with --run');
  return commandsOf(target).captured(options, isGiven);
}

function runFolder(run: string): string {
  const folder = isRunId(run) && !existsSync(run) ? join(runsFolder(), run) : resolve(run);
  if (!existsSync(join(folder, 'manifest.json'))) throw new InputError(`--run ${run}: no run bundle there`);
  return folder;
}

async function captureTarget(
  tool: ToolId,
  { spec, title, interval }: Subject,
  options: CaptureOptions,
  terminal: Terminal,
): Promise<number> {
  if (options.pace !== 'max') throw new InputError('--pace: a captured run is played as fast as it goes');
  const stop = new AbortController();
  const request: CaptureRequest = {
    tool,
    spec,
    profile: options.profile,
    folder:
      options.out === undefined ? captureFolder(newRunId(`${tool}-${spec.variant}`)) : resolve(options.out),
    runner: process.env['DYNO_RUNNER'] ?? join(import.meta.dirname, 'runner.mjs'),
    limitMs: options.timeLimit * 1000,
    signal: stop.signal,
    onProgress: progressOn(process.stderr),
    ...(interval === undefined ? {} : { interval }),
    ...(options.tool === undefined ? {} : { setting: options.tool }),
    ...(options.range === undefined ? {} : { range: options.range }),
    ...(options.gpus === undefined ? {} : { gpus: gpuList(options.gpus) }),
    ...(options.kernels === undefined ? {} : { kernels: options.kernels }),
    ...(options.skip === undefined ? {} : { skip: options.skip }),
    ...(options.count === undefined ? {} : { count: options.count }),
    ...(options.caches === undefined ? {} : { caches: options.caches }),
  };
  if (options.printCommand === true) {
    const { command } = await prepareCapture(request);
    terminal.print(printable(command.argv, command.environment));
    return 0;
  }
  if (interval !== undefined) terminal.note(`recording ${intervalText(interval)}`);
  const startedMs = Date.now();
  let interrupts = 0;
  const interrupt = () => {
    interrupts += 1;
    if (interrupts > 1) process.exit(130);
    terminal.note('stopping: what was recorded is kept');
    stop.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const done = await captureRun(request);
    terminal.note(`${done.tool.tool} ${done.tool.version.text}: ${done.report}`);
    if (done.state === 'stopped_at_limit')
      terminal.note(`stopped at the limit of ${options.timeLimit} s; the run inside is ${done.run.status}`);
    // The window lists it like its own.
    await rememberCapture(request.folder, {
      capture: basename(request.folder),
      tool,
      title,
      state: 'done',
      progress: '',
      started_ms: startedMs,
      elapsed_ms: Math.round(done.elapsedMs),
      target: spec.target,
      variant: withKind(spec, (kind, own) => kind.variants(own)),
      engine: spec.engine,
      profile: options.profile,
      command: `npm run -s dyno -- ${process.argv.slice(2).map(shellWord).join(' ')}`,
      tool_command: done.commandLine,
      report: done.report,
      folder: request.folder,
      ...(interval === undefined ? {} : { interval: intervalText(interval) }),
    });
    const imported = await importReport(done.report, {
      cacheFolder: request.folder,
      ...(tool === 'nsys' ? { nsys: done.tool.path } : { ncu: done.tool.path }),
      signal: stop.signal,
    });
    show(imported, options.json === true, terminal, {
      folder: request.folder,
      state: done.state,
      run: done.run.status,
      ...(interval === undefined ? {} : { interval }),
      command_line: done.commandLine,
      perturbed: true,
    });
    return 0;
  } catch (thrown) {
    if (!(thrown instanceof CaptureError) || thrown.code !== 'cancelled') throw thrown;
    terminal.note(thrown.message);
    return 130;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('Expected seconds of the run, 0 or more.');
  return value;
}

function gpuList(text: string): number[] {
  const gpus = text.split(',').map(Number);
  if (!gpus.every((gpu) => Number.isInteger(gpu) && gpu >= 0))
    throw new InputError(`--gpus ${text}: expected GPU numbers, e.g. 0,1`);
  return gpus;
}

/** On a terminal the last state in place; elsewhere a line per state, once. */
function progressOn(stream: NodeJS.WriteStream): (progress: ToolProgress) => void {
  let last = '';
  return (progress) => {
    const text = progressText(progress, stream.isTTY === true);
    if (text === undefined || text === last) return;
    last = text;
    stream.write(
      stream.isTTY === true ? `\r\x1b[K${text}${progress.phase === 'report' ? '\n' : ''}` : `${text}\n`,
    );
  };
}

function progressText(progress: ToolProgress, isDetailed: boolean): string | undefined {
  switch (progress.phase) {
    case 'recording':
      return 'recording';
    case 'profiling':
      if (progress.passes === undefined && !isDetailed) return undefined;
      return `kernel ${progress.launch}: ${progress.kernel.slice(0, 60)} · ${progress.passes === undefined ? `${Math.round(progress.done * 100)} %` : `${progress.passes} passes`}`;
    case 'processing':
      return isDetailed && progress.done !== undefined
        ? `making the report: ${Math.round(progress.done * 100)} %`
        : 'making the report';
    case 'report':
      return undefined;
  }
}

async function exportTrace(imported: ImportedReport, path: string, terminal: Terminal): Promise<void> {
  if (imported.kind !== 'nsys')
    throw new InputError('--chrome-trace: an ncu report holds no timeline; open a .nsys-rep');
  const out = createWriteStream(path);
  const { events } = await writeCaptureTrace(out, imported.report, imported.file);
  out.end();
  await finished(out);
  terminal.note(`${path}: ${events} events`);
}

function show(
  imported: ImportedReport,
  isJson: boolean,
  terminal: Terminal,
  about: Readonly<Record<string, unknown>> = {},
): void {
  const document = imported.kind === 'nsys' ? timelineDocument(imported) : kernelDocument(imported);
  if (isJson) {
    terminal.json({ ...about, ...document });
    return;
  }
  const { paint } = terminal;
  const ms = (ns: number) => `${(ns / 1e6).toFixed(3)} ms`;
  const lines: string[] = [];
  if (document.kind === 'nsys') {
    lines.push(paint.bold(`${document.tool.name.replace(/^NVIDIA /, '')} ${document.tool.version}`.trim()));
    for (const gpu of document.activity) {
      const span = gpu.endNs - gpu.startNs;
      lines.push(
        `GPU ${gpu.device}: busy ${ms(gpu.busyNs)} of ${ms(span)} (${span > 0 ? `${((100 * gpu.busyNs) / span).toFixed(1)} %` : '–'}), idle ${ms(gpu.idleNs)}`,
      );
    }
    const names = (title: string, rows: ReturnType<typeof summariseNames>) => {
      if (rows.length === 0) return;
      const cells = rows
        .slice(0, 10)
        .map((row) => [
          row.name.slice(0, 70),
          String(row.count),
          ms(row.totalNs),
          `${(row.share * 100).toFixed(1)} %`,
          ms(row.medianNs),
        ]);
      lines.push(
        '',
        textTable(
          [
            { title },
            { title: 'n', align: 'right' },
            { title: 'total', align: 'right' },
            { title: 'share', align: 'right' },
            { title: 'median', align: 'right' },
          ],
          cells,
        ),
      );
    };
    names('kernel', document.kernels);
    names('NVTX range', document.ranges);
    names('CUDA call', document.api_calls);
    names('system call', document.os_calls);
  } else {
    lines.push(
      paint.bold(
        `Nsight Compute, ${document.kernels.length} launches${document.card === undefined ? '' : ` on ${document.card}`}`,
      ),
    );
    lines.push(
      ...document.kernels
        .slice(0, 40)
        .map((kernel) => `${kernel.id}  ${kernel.name.slice(0, 90)}  ${kernel.metrics} metrics`),
    );
    lines.push(paint.faint(`its roofline: dyno roofline --capture ${imported.file}`));
  }
  lines.push(...document.missing.map((line) => paint.faint(`missing: ${line}`)));
  terminal.print(lines.join('\n'));
}

const timelineDocument = ({ report, file, sqlite }: Extract<ImportedReport, { kind: 'nsys' }>) => ({
  kind: 'nsys' as const,
  file,
  sqlite,
  tool: report.tool,
  gpus: report.gpus,
  activity: deviceActivity(report).map(({ bubbles, ...rest }) => ({
    ...rest,
    longest_bubbles: bubbles.slice(0, 10),
  })),
  kernels: summariseNames(report.kernels, report.names),
  kernels_by_range: kernelsByRange(report),
  ranges: summariseNames(report.ranges, report.names),
  copies: summariseCopies(report),
  api_calls: summariseNames(report.apiCalls, report.names),
  os_calls: summariseNames(report.osCalls, report.names),
  missing: report.missing,
  diagnostics: report.diagnostics,
});

const kernelDocument = ({ report, file, readBy }: Extract<ImportedReport, { kind: 'ncu' }>) => ({
  kind: 'ncu' as const,
  file,
  read_by: readBy,
  card: report.card,
  kernels: report.kernels.map(({ id, name, grid, block, ranges, metrics }) => ({
    id,
    name,
    grid,
    block,
    ranges,
    metrics: metrics.size,
  })),
  missing: report.missing,
});

/** Capture errors cross as values, with their exit status. */
export async function plainErrors<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (thrown) {
    if (!(thrown instanceof CaptureError)) throw thrown;
    throw new RunFailure(thrown.toHostError());
  }
}
