import { spawn } from 'node:child_process';
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type CaptureInterval, intervalText } from '../../../workloads/run/captureInterval.ts';
import type { CaptureContents, KernelChange, ToolPresence } from '../../contract/captures.ts';
import type { CaptureInfo, HostQuestion, HostResults } from '../../contract/protocol.ts';
import { withKind } from '../../shared/kinds/runKinds.ts';
import { fileReason } from '../../shared/openFile.ts';
import { asHostError, RunFailure } from '../../shared/runFailure.ts';
import type { HeavyTasks } from '../heavyTasks.ts';
import { captureCommand, partCommand } from '../runs/repeatCommand.ts';
import type { Manifest } from '../store/manifest.ts';
import { newRunId } from '../store/runsFolder.ts';
import { CaptureError } from './captureError.ts';
import { earlierCaptures, isOpenedReport, listName, rememberCapture } from './captureFolders.ts';
import { type CaptureRequest, captureRun, prepareCapture } from './captureRun.ts';
import { printable } from './commandLine.ts';
import { captureOfRun } from './intervalOf.ts';
import type { ToolProgress } from './job/progress.ts';
import { storeCapturedRun } from './storeCapturedRun.ts';
import type { ReportFile, ReportTasks } from './thread/reportTasks.ts';
import { findTool, findToolWindow, type ToolId } from './tools.ts';

export type CaptureOrder = HostQuestion<'captures.start'>;
/** A capture of a whole target, or of a part of a run with its own command line. */
type PartOrder = CaptureOrder & { readonly interval?: CaptureInterval; readonly command?: string };

export interface CaptureContext {
  readonly capturesFolder: string;
  readonly runsFolder: string;
  readonly runnerEntry: string;
  readonly reports: HeavyTasks<ReportTasks>;
  readonly about: () => Promise<Pick<Manifest, 'versions' | 'hardware'> & { readonly git_commit?: string }>;
  readonly onCapture: (capture: CaptureInfo) => void;
  readonly onRunsChanged: () => void;
  readonly onLog: (level: 'info' | 'warning' | 'error', message: string) => void;
}

class OneCapture {
  info: CaptureInfo;
  readonly order: PartOrder | undefined;
  readonly stop = new AbortController();
  private readonly startedAt = performance.now();
  lastEvent = 0;

  constructor(info: CaptureInfo, order?: PartOrder) {
    this.info = info;
    this.order = order;
  }

  get isOpen(): boolean {
    return ['queued', 'running', 'importing'].includes(this.info.state);
  }

  change(next: Partial<CaptureInfo>): void {
    const elapsed = this.isOpen ? { elapsed_ms: Math.round(performance.now() - this.startedAt) } : {};
    this.info = { ...this.info, ...elapsed, ...next };
  }
}

const without: Readonly<Record<ToolId, string>> = {
  nsys: 'Reports can still be opened: a .sqlite export without the tool, an .nsys-rep only with it. Simulated runs have their own timeline: Export, Chrome trace.',
  ncu: 'Reports (.ncu-rep, .csv) can still be opened: Dyno reads them itself. The roofline draws analytic and simulated points without it.',
};

/** Captures one after another, and report files that were opened. Two profilers at once would disturb each other. */
export class CaptureQueue {
  private readonly context: CaptureContext;
  private captures: OneCapture[] = [];
  private earlier: Promise<void> | undefined;
  private working: Promise<void> | undefined;
  private watcher: FSWatcher | undefined;
  private lookAgain: NodeJS.Timeout | undefined;

  constructor(context: CaptureContext) {
    this.context = context;
  }

  async list(): Promise<CaptureInfo[]> {
    this.earlier ??= this.takeIn();
    await this.earlier;
    await this.watchFolder();
    return this.captures.map(({ info }) => info);
  }

  /** Captures of earlier sessions, and those that the command line made meanwhile. */
  private async takeIn(): Promise<void> {
    const found = await earlierCaptures(this.context.capturesFolder);
    const known = new Set(this.captures.map(({ info }) => info.capture));
    const fresh = found.filter(({ capture }) => !known.has(capture)).map((info) => new OneCapture(info));
    this.captures = [...fresh, ...this.captures];
    for (const { info } of fresh) this.context.onCapture(info);
  }

  /** A capture is listed when its last file is there; the folder is looked at again a moment after each change. */
  private async watchFolder(): Promise<void> {
    if (this.watcher !== undefined) return;
    await mkdir(this.context.capturesFolder, { recursive: true });
    try {
      this.watcher = watch(this.context.capturesFolder, { recursive: true }, (_event, name) => {
        if (name !== null && !name.endsWith(listName)) return;
        clearTimeout(this.lookAgain);
        this.lookAgain = setTimeout(() => {
          this.takeIn().catch((thrown: unknown) =>
            this.context.onLog('warning', `captures: ${fileReason(thrown)}`),
          );
        }, 150);
        this.lookAgain.unref();
      });
      this.watcher.unref();
      this.watcher.on('error', () => this.watcher?.close());
    } catch {
      // A file system that cannot be watched: the list is as it was when the window opened.
    }
  }

  async tools(): Promise<ToolPresence[]> {
    return Promise.all(
      (['nsys', 'ncu'] as const).map(async (tool): Promise<ToolPresence> => {
        const ui = await findToolWindow(tool).then(
          (path) => ({ ui: path }),
          (thrown: unknown) => ({ ui_missing: asHostError(thrown).message }),
        );
        try {
          const { path, version } = await findTool(tool, { timeoutMs: 8_000 });
          return { tool, path, version: version.text, ...ui };
        } catch (thrown) {
          const error = asHostError(thrown);
          const hint = thrown instanceof CaptureError ? thrown.hint : undefined;
          return {
            tool,
            missing: error.message,
            without: without[tool],
            ...ui,
            ...(hint === undefined ? {} : { advice: hint }),
          };
        }
      }),
    );
  }

  /** The command lines that `start` would run, Dyno's and the tool's, or the reason why the tool cannot. */
  async preview(order: CaptureOrder): Promise<HostResults['captures.preview']> {
    const command = captureCommand(order);
    try {
      const { command: made } = await prepareCapture(
        this.requestOf(order, join(this.context.capturesFolder, '…')),
      );
      return { command, tool_command: printable(made.argv, made.environment) };
    } catch (thrown) {
      const error = thrown instanceof CaptureError ? thrown.toHostError() : asHostError(thrown);
      return { command, problem: error.message };
    }
  }

  /** A part of a run, replayed under a profiler. */
  async startPart(
    folder: string,
    part: HostQuestion<'captures.startPart'>,
  ): Promise<{ capture: string; interval: string }> {
    const { spec, title, interval } = await captureOfRun(folder, part.from_ns, part.to_ns);
    const { tool, profile, limit_s } = part;
    const order = { tool, spec, title, profile, limit_s, interval, command: partCommand(part) };
    return { capture: this.start(order), interval: intervalText(interval) };
  }

  start(order: PartOrder): string {
    const { spec, tool } = order;
    const variant = withKind(spec, (kind, own) => kind.variants(own));
    const id = newRunId(`${tool}-${spec.variant}`);
    this.add(
      new OneCapture(
        {
          capture: id,
          tool,
          title: order.title,
          state: 'queued',
          progress: 'waits for its turn',
          started_ms: Date.now(),
          elapsed_ms: 0,
          target: spec.target,
          variant,
          engine: spec.engine,
          profile: order.profile,
          command: order.command ?? captureCommand(order),
          ...(order.interval === undefined ? {} : { interval: intervalText(order.interval) }),
          folder: join(this.context.capturesFolder, id),
        },
        order,
      ),
    );
    return id;
  }

  /** The kernel timeline that a run recorded of itself. */
  openRun(folder: string, title: string): string {
    return this.open(folder, { tool: 'cupti', title });
  }

  /** Opens the report in Nsight's own window, which lives on by itself. */
  async showInNsight(id: string): Promise<void> {
    const { file } = this.reportOf(id);
    const { tool } = this.find(id).info;
    if (tool === 'cupti' || !/\.(nsys-rep|qdrep|ncu-rep)$/i.test(file))
      throw new RunFailure({ code: 'bad_input', message: `${file} is no report that Nsight opens` });
    const path = await findToolWindow(tool);
    const child = spawn(path, [file], { detached: true, stdio: 'ignore' });
    child.on('error', (error) => this.context.onLog('error', `${path}: ${error.message}`));
    child.unref();
  }

  /** The same file opened twice is one entry. */
  open(path: string, as: Partial<Pick<CaptureInfo, 'tool' | 'title'>> = {}): string {
    const file = resolve(path);
    const known = this.captures.find(({ info }) => info.report === file && info.state === 'done');
    if (known !== undefined) return known.info.capture;
    const id = newRunId('opened');
    this.add(
      new OneCapture({
        capture: id,
        tool: /\.(ncu-rep|csv)$/i.test(file) ? 'ncu' : 'nsys',
        title: basename(file),
        ...as,
        state: 'queued',
        progress: 'waits for its turn',
        started_ms: Date.now(),
        elapsed_ms: 0,
        command: `npm run -s dyno -- capture open ${file}`,
        report: file,
      }),
    );
    return id;
  }

  cancel(id: string): void {
    const one = this.find(id);
    if (!one.isOpen) return;
    if (one.info.state === 'queued') this.tell(one, { state: 'cancelled', progress: 'cancelled' });
    else this.tell(one, { progress: 'stopping: what was recorded is kept' });
    one.stop.abort();
  }

  retry(id: string): string {
    const { order, info } = this.find(id);
    if (order !== undefined) return this.start(order);
    if (info.target === undefined && info.report !== undefined) return this.open(info.report);
    throw new RunFailure({
      code: 'failed',
      message: 'this capture was made by an earlier session',
      hint: `its command line makes it again: ${info.command}`,
    });
  }

  async remove(id: string): Promise<void> {
    const one = this.find(id);
    if (one.isOpen)
      throw new RunFailure({
        code: 'failed',
        message: `${one.info.title} is still going on: cancel it first`,
      });
    const folder = isOpenedReport(one.info) ? this.listed(one) : one.info.folder;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    this.captures = this.captures.filter((other) => other !== one);
  }

  read(id: string): Promise<CaptureContents> {
    return this.context.reports.ask('read', this.reportOf(id));
  }

  /** A question about one report. */
  ask<T extends keyof ReportTasks>(
    id: string,
    task: T,
    question: (report: ReportFile) => ReportTasks[T]['question'],
  ): Promise<ReportTasks[T]['result']> {
    return this.context.reports.ask(task, question(this.reportOf(id)));
  }

  compare(baseline: string, optimized: string): Promise<readonly KernelChange[]> {
    return this.context.reports.ask('compare', {
      baseline: this.reportOf(baseline),
      optimized: this.reportOf(optimized),
    });
  }

  async export(id: string, path: string): Promise<{ path: string; bytes: number }> {
    const target = resolve(path);
    const { bytes } = await this.context.reports.ask('trace', { ...this.reportOf(id), path: target });
    return { path: target, bytes };
  }

  async close(): Promise<void> {
    this.watcher?.close();
    clearTimeout(this.lookAgain);
    for (const one of this.captures) if (one.isOpen) this.cancel(one.info.capture);
    await this.working;
    await this.context.reports.close();
  }

  /** Where the list remembers a report that was opened; the report itself stays where it is. */
  private listed({ info }: OneCapture): string {
    return join(this.context.capturesFolder, info.capture);
  }

  private reportOf(id: string): ReportFile {
    const { report } = this.find(id).info;
    if (report === undefined || !existsSync(report))
      throw new RunFailure({
        code: 'not_found',
        message: `capture ${id} has no report${report === undefined ? '' : ` at ${report}`}`,
      });
    return { file: report, cacheFolder: join(this.context.capturesFolder, 'cache') };
  }

  private find(id: string): OneCapture {
    const one = this.captures.find(({ info }) => info.capture === id);
    if (one === undefined) throw new RunFailure({ code: 'not_found', message: `no capture ${id}` });
    return one;
  }

  private add(one: OneCapture): void {
    this.captures.push(one);
    this.tell(one, {});
    this.working ??= this.work().finally(() => {
      this.working = undefined;
    });
  }

  private async work(): Promise<void> {
    await Promise.resolve();
    for (;;) {
      const one = this.captures.find(({ info }) => info.state === 'queued');
      if (one === undefined) return;
      try {
        if (one.order !== undefined) await this.record(one, one.order);
        this.tell(one, { state: 'importing', progress: 'reading the report' });
        await this.context.reports.ask('read', this.reportOf(one.info.capture));
        this.tell(one, { state: 'done', progress: '' });
      } catch (thrown) {
        const error = thrown instanceof CaptureError ? thrown.toHostError() : asHostError(thrown);
        this.tell(one, {
          state: error.code === 'cancelled' ? 'cancelled' : 'failed',
          progress: error.code === 'cancelled' ? error.message : '',
          ...(error.code === 'cancelled' ? {} : { error }),
        });
      }
      const folder =
        isOpenedReport(one.info) && one.info.state === 'done' ? this.listed(one) : one.info.folder;
      if (folder === undefined) continue;
      await mkdir(folder, { recursive: true })
        .then(() => rememberCapture(folder, one.info))
        .catch((thrown: unknown) =>
          this.context.onLog('warning', `${folder}: not kept in the list of captures: ${fileReason(thrown)}`),
        );
    }
  }

  private async record(one: OneCapture, order: PartOrder): Promise<void> {
    const { context } = this;
    const { capture, folder = '' } = one.info;
    await mkdir(folder, { recursive: true });
    this.tell(one, { state: 'running', progress: 'starting' });
    const startedMs = Date.now();
    const result = await captureRun({
      ...this.requestOf(order, folder),
      signal: one.stop.signal,
      onProgress: (progress) => this.tellProgress(one, progress),
    });
    this.tell(one, { report: result.report, tool_command: result.commandLine, progress: 'keeping the run' });
    try {
      const run = await storeCapturedRun({
        run: newRunId(order.spec.variant),
        runsFolder: context.runsFolder,
        events: join(folder, 'events.dyno'),
        title: order.title,
        spec: order.spec,
        capture,
        tool: order.tool,
        startedMs,
        elapsedMs: result.elapsedMs,
        about: await context.about(),
      });
      this.tell(one, { run });
      context.onRunsChanged();
    } catch (thrown) {
      context.onLog('warning', `the run inside ${order.title} was not kept: ${asHostError(thrown).message}`);
    }
  }

  private requestOf(order: PartOrder, folder: string): CaptureRequest {
    return {
      tool: order.tool,
      spec: order.spec,
      profile: order.profile,
      folder,
      runner: this.context.runnerEntry,
      limitMs: order.limit_s * 1000,
      ...(order.interval === undefined ? {} : { interval: order.interval }),
      ...(order.range === undefined ? {} : { range: order.range }),
      ...(order.kernels === undefined ? {} : { kernels: order.kernels }),
      ...(order.skip === undefined ? {} : { skip: order.skip }),
      ...(order.count === undefined ? {} : { count: order.count }),
    };
  }

  private tellProgress(one: OneCapture, progress: ToolProgress): void {
    const now = performance.now();
    if (now - one.lastEvent < 100) return;
    one.lastEvent = now;
    const { done: _before, ...rest } = one.info;
    one.info = rest;
    this.tell(one, {
      progress: progressText(progress),
      ...('done' in progress && progress.done !== undefined ? { done: progress.done } : {}),
    });
  }

  private tell(one: OneCapture, next: Partial<CaptureInfo>): void {
    one.change(next);
    this.context.onCapture(one.info);
  }
}

function progressText(progress: ToolProgress): string {
  switch (progress.phase) {
    case 'recording':
      return 'recording';
    case 'profiling':
      return `kernel ${progress.launch} (${progress.kernel.slice(0, 40)}): ${
        progress.passes === undefined ? `${Math.round(progress.done * 100)} %` : `${progress.passes} passes`
      }`;
    case 'processing':
      return 'making the report';
    case 'report':
      return 'report written';
    default:
      return progress satisfies never;
  }
}
