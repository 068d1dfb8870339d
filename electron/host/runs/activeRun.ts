import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { HostError } from '../../contract/hostError.ts';
import type { Pace, RunStatus } from '../../contract/protocol.ts';
import { withKind } from '../../shared/kinds/runKinds.ts';
import { fileReason } from '../../shared/openFile.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import type { StreamBatch, StreamMessage } from '../../shared/stream/message.ts';
import { type GpuReadings, type GpuTelemetry, samplesOf } from '../machine/telemetry/gpuTelemetry.ts';
import { writeAtomically } from '../store/atomicFile.ts';
import { lockBundle, unlockBundle } from '../store/bundleLock.ts';
import { BundleWriter } from '../store/bundleWriter.ts';
import { makeFolder } from '../store/makeFolder.ts';
import { type Hardware, type Manifest, summaryName, writeManifest } from '../store/manifest.ts';
import { summaryOf } from '../store/recovery.ts';
import { sealBundle, summaryText } from '../store/seal.ts';
import { type RunnerExit, RunnerProcess } from './runnerProcess.ts';

const specName = 'spec.json';
/** After a wait this long for the disk a warning is logged. */
const slowDiskMs = 1000;

export interface RunPlan {
  readonly run: string;
  readonly folder: string;
  readonly group: string;
  readonly title: string;
  readonly spec: AnySpec;
  readonly pace: Pace;
  readonly runnerEntry: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly gitCommit: string | undefined;
  readonly hardware: Hardware;
  /** The GPUs of this machine, where the run uses them. */
  readonly telemetry?: GpuTelemetry;
}

export interface RunOutcome {
  readonly status: Exclude<RunStatus, 'running'>;
  readonly error?: HostError;
}

export interface RunProgress {
  readonly phase: 'reading' | 'running';
  readonly done: number;
  readonly total: number;
  readonly clockNs: number;
}

const isDiskFull = (message: string): boolean =>
  /ENOSPC|EDQUOT|EFBIG|No space left|Disk quota|File too large|not enough space/i.test(message);

/** Describes a failed write in one line. */
export function storeError(folder: string, thrown: unknown): HostError {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (isDiskFull(message)) {
    return {
      code: 'failed',
      message: `disk full: ${folder}: the run was stopped; what was written before is kept`,
      hint: 'Free some space, choose another folder (DYNO_HOME or --out), or keep less detail (--detail none).',
      detail: message,
    };
  }
  return { code: 'failed', message: `${folder}: ${fileReason(thrown)}`, detail: message };
}

/** One run from the empty folder to the sealed bundle. */
export class ActiveRun {
  readonly plan: RunPlan;
  readonly writer: BundleWriter;
  progress: RunProgress = { phase: 'reading', done: 0, total: 0, clockNs: 0 };
  private readonly startedMs = Date.now();
  private readonly startedAt = performance.now();
  private manifest: Manifest;
  private runner: RunnerProcess | undefined;
  private summary: { readonly status: 'done' | 'cancelled'; readonly summary: object } | undefined;
  private error: HostError | undefined;
  private isCancelled = false;
  private hasBegun = false;
  private stopListening: (() => void) | undefined;
  private readonly batchListeners = new Set<(batch: StreamBatch) => void>();
  private readonly onProgress: () => void;
  private readonly onLog: (level: 'info' | 'warning' | 'error', message: string) => void;
  private reportFailure: (error: Error) => void = () => undefined;

  private constructor(
    plan: RunPlan,
    manifest: Manifest,
    writer: BundleWriter,
    onProgress: () => void,
    onLog: (level: 'info' | 'warning' | 'error', message: string) => void,
  ) {
    this.plan = plan;
    this.manifest = manifest;
    this.writer = writer;
    this.onProgress = onProgress;
    this.onLog = onLog;
  }

  static async open(
    plan: RunPlan,
    onProgress: () => void,
    onLog: (level: 'info' | 'warning' | 'error', message: string) => void,
  ): Promise<ActiveRun> {
    const manifest: Manifest = {
      schema: 1,
      run: plan.run,
      group: plan.group,
      title: plan.title,
      status: 'running',
      spec: plan.spec,
      started: new Date().toISOString(),
      versions: { ...plan.versions },
      ...(plan.gitCommit === undefined ? {} : { git_commit: plan.gitCommit }),
      hardware: plan.hardware,
      tags: [],
      note: '',
      files: {},
    };
    let active: ActiveRun | undefined;
    try {
      await makeFolder(plan.folder);
      lockBundle(plan.folder);
      await writeManifest(plan.folder, manifest);
      await writeFile(join(plan.folder, specName), `${JSON.stringify(plan.spec, undefined, 2)}\n`);
      const writer = await BundleWriter.create(plan.folder, (error) => active?.reportFailure(error));
      active = new ActiveRun(plan, manifest, writer, onProgress, onLog);
      return active;
    } catch (thrown) {
      // The error that is thrown matters more than a folder that could not be removed.
      await rm(plan.folder, { recursive: true, force: true }).catch(() => undefined);
      throw new RunFailure(storeError(plan.folder, thrown));
    }
  }

  get pid(): number | undefined {
    return this.runner?.pid;
  }

  get started(): number {
    return this.startedMs;
  }

  /** Host time since the run began. */
  get elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  /** Every batch from now on. Returns the unsubscribe. */
  onBatch(listener: (batch: StreamBatch) => void): () => void {
    this.batchListeners.add(listener);
    return () => this.batchListeners.delete(listener);
  }

  cancel(): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.runner?.tell({ cancel: true });
    this.runner?.resume();
    const grace = withKind(this.plan.spec, ({ graceMs }) => graceMs);
    setTimeout(() => this.runner?.kill(), grace).unref();
  }

  kill(): void {
    this.isCancelled = true;
    this.runner?.kill();
  }

  /** Lets replicates up to this one begin; the run waits before the next. Before `execute`: it takes turns from the start. */
  allow(replicate: number): void {
    this.allowed = replicate;
    this.runner?.tell({ turn: replicate });
  }

  /** Resolves when the run waits for its next turn; never where it takes none. */
  whenWaiting(): Promise<void> {
    return new Promise((resolve) => {
      this.onTurn = resolve;
    });
  }

  /** Runs the runner to its end and seals the bundle. Never throws: what went wrong is in the outcome. */
  async execute(): Promise<RunOutcome> {
    const { plan } = this;
    const runner = new RunnerProcess(plan.runnerEntry, join(plan.folder, specName), (message) =>
      this.take(message),
    );
    this.runner = runner;
    this.reportFailure = (error) => {
      this.error ??= storeError(plan.folder, error);
      runner.kill();
    };
    runner.tell({ pace: plan.pace });
    if (this.allowed !== undefined) runner.tell({ turn: this.allowed });
    if (this.isCancelled) runner.tell({ cancel: true });
    const exit = await runner.exited;
    this.stopListening?.();
    return this.seal(this.outcomeOf(exit));
  }

  private append(batch: StreamBatch): void {
    this.writer.append(batch);
    for (const listener of this.batchListeners) listener(batch);
  }

  /** Samples of the GPUs on the run's clock: samples, gaps, and why a series ended. */
  private listenToGpus(clockNs: bigint): void {
    const take = (readings: GpuReadings) => {
      this.append(samplesOf(readings, clockNs));
      const shift = Number(readings.originNs - clockNs);
      for (const { level, message, timeNs } of readings.notices) {
        this.writer.log(level, message, Math.max(0, timeNs + shift));
        this.onLog(level, message);
      }
    };
    this.stopListening ??= this.plan.telemetry?.listen(take);
  }

  private take(message: StreamMessage): void {
    switch (message.kind) {
      case 'hello':
        if (message.origin_ns !== undefined) this.listenToGpus(BigInt(message.origin_ns));
        return;
      case 'batch':
        this.hasBegun = true;
        this.append(message);
        if (this.writer.isBehind) void this.waitForDisk();
        return;
      case 'progress':
        this.progress = {
          phase: message.phase,
          done: message.done,
          total: message.total,
          clockNs: message.clock_ns,
        };
        this.onProgress();
        return;
      case 'log':
        this.writer.log(message.level, message.message, message.time_ns);
        this.onLog(message.level, message.message);
        return;
      case 'turn':
        this.onTurn?.();
        return;
      case 'summary':
        this.summary = { status: message.status, summary: message.summary };
        return;
      case 'error':
        this.error ??= message.error;
        return;
    }
  }

  private allowed: number | undefined;
  private onTurn: (() => void) | undefined;
  private isWaiting = false;
  private waitedMs = 0;

  /** Pauses the run until the disk has taken its rows; a wait of a second is logged once. */
  private async waitForDisk(): Promise<void> {
    const { runner } = this;
    if (runner === undefined || this.isWaiting || this.isCancelled) return;
    this.isWaiting = true;
    const begin = performance.now();
    runner.pause();
    await this.writer.whenCaughtUp();
    runner.resume();
    this.isWaiting = false;
    const before = this.waitedMs;
    this.waitedMs += performance.now() - begin;
    if (before >= slowDiskMs || this.waitedMs < slowDiskMs) return;
    const message = `${this.plan.folder}: the disk is slower than the run, which waits for it: keep less detail (--detail none) or use another folder`;
    this.writer.log('warning', message, this.progress.clockNs);
    this.onLog('warning', message);
  }

  private outcomeOf({ code, signal, tail, truncated, refused }: RunnerExit): RunOutcome {
    if (this.error !== undefined) return { status: 'failed', error: this.error };
    if (this.summary !== undefined) return { status: this.summary.status };
    if (this.isCancelled || (code === 0 && signal === null)) return { status: 'cancelled' };
    if (refused !== undefined)
      return {
        status: 'failed',
        error: { code: 'failed', message: `the runner could not be started: ${refused}` },
      };
    const how = signal !== null ? `was ended by ${signal}` : `ended with status ${code ?? 'unknown'}`;
    return {
      status: signal === null ? 'failed' : 'interrupted',
      error: {
        code: 'failed',
        message: `the runner ${how} before the run was over; what it had sent is kept${truncated > 0 ? ' (its last message was cut short)' : ''}`,
        ...(tail === '' ? {} : { detail: tail }),
      },
    };
  }

  private async seal(found: RunOutcome): Promise<RunOutcome> {
    const { folder, spec } = this.plan;
    const { code } = found.error ?? {};
    if ((code === 'bad_input' || code === 'missing') && !this.hasBegun) {
      // The run never began: the caller gets an error, and the history gets no run. A folder that cannot be removed stays.
      this.writer.close({ remove: true });
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      return found;
    }
    let outcome = found;
    let isExported = false;
    try {
      // First what only this process knows: a host that dies while it exports loses neither the summary nor the outcome.
      if (this.summary !== undefined)
        await writeAtomically(join(folder, summaryName), summaryText(this.summary.summary));
      await writeManifest(folder, { ...this.manifest, spec, sealing: this.ending(found) });
      await this.writer.export();
      isExported = true;
    } catch (thrown) {
      const error = this.error ?? storeError(folder, thrown);
      outcome = { status: 'failed', error };
    }
    this.manifest = {
      ...this.manifest,
      spec,
      ...this.ending(outcome),
    };
    try {
      await rm(join(folder, specName), { force: true });
      if (isExported) {
        // The engine's own summary was written before the tables.
        const summary =
          this.summary !== undefined ? undefined : await summaryOf(folder, folder, this.manifest);
        this.manifest = await sealBundle(folder, this.manifest, summary);
        this.writer.close({ remove: true });
      } else {
        // The database stays: what was committed is exported at a later start, when there is room again.
        this.writer.close({ remove: false });
        await writeManifest(folder, this.manifest);
      }
    } catch (thrown) {
      this.writer.close({ remove: false });
      outcome = { status: 'failed', error: outcome.error ?? storeError(folder, thrown) };
    }
    try {
      unlockBundle(folder);
    } catch {
      // The lock names this process: it counts for nothing once the process has ended.
    }
    return outcome;
  }

  private ending(
    outcome: RunOutcome,
  ): Pick<Manifest, 'status' | 'error'> & { ended: string; wall_s: number } {
    return {
      status: outcome.status,
      ended: new Date().toISOString(),
      wall_s: Math.round(this.elapsedMs) / 1000,
      ...(outcome.error === undefined ? {} : { error: outcome.error }),
    };
  }
}
