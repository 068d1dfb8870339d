import { join } from 'node:path';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { HostError } from '../../contract/hostError.ts';
import type { Job, JobState, Pace, RunStatus } from '../../contract/protocol.ts';
import { withKind } from '../../shared/kinds/runKinds.ts';
import { asHostError, RunFailure } from '../../shared/runFailure.ts';
import type { GpuTelemetry } from '../machine/telemetry/gpuTelemetry.ts';
import type { Hardware } from '../store/manifest.ts';
import { newRunId } from '../store/runsFolder.ts';
import { ActiveRun, type RunOutcome } from './activeRun.ts';

/** Job events go out at most this often; a change of state goes out at once. */
const eventMs = 100;
const keptJobs = 50;

export interface JobContext {
  readonly runsFolder: string;
  readonly runnerEntry: string;
  readonly versions: () => Promise<Readonly<Record<string, string>>>;
  readonly gitCommit: string | undefined;
  readonly hardware: () => Promise<Hardware>;
  readonly telemetry?: GpuTelemetry;
  readonly onJob: (job: Job) => void;
  readonly onRunStarted: (run: ActiveRun) => void;
  readonly onRunsChanged: () => void;
  readonly onLog: (level: 'info' | 'warning' | 'error', message: string) => void;
}

/** Runs that ask the same servers, several replicates each: they take turns, one replicate at a time. */
export const takesTurns = (specs: readonly AnySpec[]): boolean =>
  specs.length > 1 && specs.every(({ engine, iterations }) => engine === 'http' && iterations > 1);

interface PlannedRun {
  readonly run: string;
  readonly spec: AnySpec;
  status: RunStatus | 'queued';
}

class OneJob {
  readonly id: string;
  readonly title: string;
  readonly pace: Pace;
  readonly runs: readonly PlannedRun[];
  state: JobState = 'queued';
  current = 0;
  active: ActiveRun | undefined;
  /** Runs that are begun and not over: one, or all where they take turns. */
  readonly open = new Set<ActiveRun>();
  error: HostError | undefined;
  startedMs = Date.now();
  private startedAt = performance.now();
  private endedAt: number | undefined;
  lastEvent = 0;
  eventTimer: NodeJS.Timeout | undefined;

  constructor(title: string, specs: readonly AnySpec[], pace: Pace) {
    this.title = title;
    this.pace = pace;
    this.runs = specs.map((spec) => ({ run: newRunId(spec.variant), spec, status: 'queued' }));
    this.id = `job-${this.runs[0]?.run ?? ''}`;
  }

  get isOver(): boolean {
    return this.state === 'done' || this.state === 'failed' || this.state === 'cancelled';
  }

  begin(): void {
    this.startedMs = Date.now();
    this.startedAt = performance.now();
    this.state = 'running';
  }

  end(state: 'done' | 'failed' | 'cancelled'): void {
    this.state = state;
    this.endedAt = performance.now();
  }

  describe(): Job {
    const { active } = this;
    const progress = active?.progress;
    const elapsed = this.state === 'queued' ? 0 : (this.endedAt ?? performance.now()) - this.startedAt;
    const eta = this.eta();
    return {
      job: this.id,
      title: this.title,
      state: this.state,
      runs: this.runs.map(({ run, spec, status }) => ({
        run,
        target: spec.target,
        variant: spec.variant,
        kind: withKind(spec, ({ id }) => id),
        engine: spec.engine,
        status,
      })),
      current: this.current,
      done: progress?.phase === 'running' ? progress.done : 0,
      total: progress?.phase === 'running' ? progress.total : 0,
      clock_ns: progress?.clockNs ?? 0,
      started_ms: this.startedMs,
      elapsed_ms: Math.round(elapsed),
      ...(eta === undefined ? {} : { eta_ms: Math.round(eta) }),
      ...(active?.pid === undefined || this.isOver ? {} : { pid: active.pid }),
      ...(this.error === undefined ? {} : { error: this.error }),
    };
  }

  /** The rest of this run at its pace so far, and the runs after it as long as this one. */
  private eta(): number | undefined {
    const { active } = this;
    if (active === undefined || this.state !== 'running') return undefined;
    const { phase, done, total } = active.progress;
    const spent = active.elapsedMs;
    if (phase !== 'running' || total === 0 || done === 0 || (done / total < 0.02 && spent < 1000))
      return undefined;
    const whole = (spent * total) / done;
    return Math.max(0, whole - spent) + whole * (this.runs.length - this.current - 1);
  }
}

/** Jobs one after another, the runs of a job one after another: two runs at once would disturb each other's timing. */
export class JobQueue {
  private readonly context: JobContext;
  private readonly jobs: OneJob[] = [];
  private working: Promise<void> | undefined;

  constructor(context: JobContext) {
    this.context = context;
  }

  start(title: string, specs: readonly AnySpec[], pace: Pace): { job: string; runs: string[] } {
    const job = new OneJob(title, specs, pace);
    this.jobs.push(job);
    while (this.jobs.length > keptJobs && this.jobs[0]?.isOver === true) this.jobs.shift();
    this.tell(job, true);
    this.wake();
    return { job: job.id, runs: job.runs.map(({ run }) => run) };
  }

  list(): Job[] {
    return this.jobs.map((job) => job.describe());
  }

  activeRun(run: string): ActiveRun | undefined {
    for (const job of this.jobs) {
      if (job.isOver) continue;
      if (job.active?.plan.run === run) return job.active;
      for (const active of job.open) if (active.plan.run === run) return active;
    }
    return undefined;
  }

  /** Waits for its turn or goes on. */
  isPlanned(run: string): boolean {
    return this.jobs.some(
      (job) =>
        !job.isOver &&
        job.runs.some(
          (planned) => planned.run === run && (planned.status === 'queued' || planned.status === 'running'),
        ),
    );
  }

  cancel(id: string): void {
    const job = this.jobs.find((candidate) => candidate.id === id);
    if (job === undefined) throw new RunFailure({ code: 'not_found', message: `no job ${id}` });
    if (job.isOver) return;
    if (job.state === 'queued') {
      for (const run of job.runs) run.status = 'cancelled';
      job.end('cancelled');
    } else {
      job.state = 'finishing';
      for (const active of job.open) active.cancel();
    }
    this.tell(job, true);
  }

  /** Ends every run at once, without waiting for its summary; what was sent is kept. */
  killAll(): void {
    for (const job of this.jobs) {
      if (job.isOver) continue;
      job.state = 'finishing';
      for (const active of job.open) active.kill();
    }
  }

  /** Cancels what goes on and resolves when every bundle is sealed. */
  async close(): Promise<void> {
    for (const job of this.jobs) if (!job.isOver) this.cancel(job.id);
    while (this.working !== undefined) await this.working;
  }

  private wake(): void {
    this.working ??= this.work().finally(() => {
      this.working = undefined;
      // A job that came after the last look and before this line.
      if (this.jobs.some(({ state }) => state === 'queued')) this.wake();
    });
  }

  private async work(): Promise<void> {
    // Listeners hear of the queued job first.
    await Promise.resolve();
    for (;;) {
      const job = this.jobs.find((candidate) => candidate.state === 'queued');
      if (job === undefined) return;
      await this.execute(job);
    }
  }

  private async execute(job: OneJob): Promise<void> {
    job.begin();
    this.tell(job, true);
    if (takesTurns(job.runs.map(({ spec }) => spec))) {
      await this.executeInTurn(job);
      return;
    }
    let worst: 'done' | 'failed' | 'cancelled' = 'done';
    for (const [index, planned] of job.runs.entries()) {
      if (job.state === 'finishing' || worst === 'failed') {
        planned.status = 'cancelled';
        if (worst === 'done') worst = 'cancelled';
        continue;
      }
      job.current = index;
      try {
        const outcome = await this.executeRun(job, planned);
        planned.status = outcome.status;
        if (outcome.status === 'cancelled') worst = 'cancelled';
        else if (outcome.status !== 'done') {
          worst = 'failed';
          job.error = outcome.error;
        }
      } catch (thrown) {
        planned.status = 'failed';
        worst = 'failed';
        job.error = asHostError(thrown);
      }
      this.context.onRunsChanged();
      this.tell(job, true);
    }
    job.end(worst);
    this.tell(job, true);
  }

  /**
   * Runs that are compared on the same servers, replicate by replicate: what changes there over time meets both alike.
   *
   *     baseline   ├─ 0 ─┤       ├─ 1 ─┤       ├─ 2 ─┤
   *     optimized         ├─ 0 ─┤       ├─ 1 ─┤       ├─ 2 ─┤
   */
  private async executeInTurn(job: OneJob): Promise<void> {
    const begun: { readonly active: ActiveRun; readonly ended: Promise<void>; isOver: boolean }[] = [];
    const rounds = Math.max(...job.runs.map(({ spec }) => spec.iterations));
    let worst: 'done' | 'failed' | 'cancelled' = 'done';
    const note = (planned: PlannedRun, outcome: RunOutcome): void => {
      planned.status = outcome.status;
      if (outcome.status === 'cancelled' && worst === 'done') worst = 'cancelled';
      if (outcome.status !== 'done' && outcome.status !== 'cancelled') {
        worst = 'failed';
        job.error ??= outcome.error;
        // The others have nothing to be compared with.
        for (const other of job.open) other.cancel();
      }
      this.context.onRunsChanged();
    };
    for (let round = 0; round < rounds; round++) {
      for (const [index, planned] of job.runs.entries()) {
        if (round === 0 && (job.state === 'finishing' || worst !== 'done')) {
          planned.status = 'cancelled';
          if (worst === 'done') worst = 'cancelled';
          continue;
        }
        const known = begun[index];
        if (round > 0 && (known === undefined || known.isOver)) continue;
        job.current = index;
        const one = known ?? (await this.begin(job, planned, note).catch(asHostError));
        if ('code' in one) {
          note(planned, { status: 'failed', error: one });
          continue;
        }
        begun[index] = one;
        job.active = one.active;
        const waits = one.active.whenWaiting();
        if (known !== undefined) one.active.allow(round);
        this.tell(job, true);
        await Promise.race([waits, one.ended]);
      }
    }
    await Promise.all(begun.map(({ ended }) => ended));
    job.end(worst);
    this.tell(job, true);
  }

  /** Begins a run that waits after its first replicate. */
  private async begin(
    job: OneJob,
    planned: PlannedRun,
    note: (planned: PlannedRun, outcome: RunOutcome) => void,
  ): Promise<{ readonly active: ActiveRun; readonly ended: Promise<void>; isOver: boolean }> {
    const active = await this.openRun(job, planned);
    active.allow(0);
    const one = { active, isOver: false, ended: Promise.resolve() };
    one.ended = this.outcomeOf(job, active).then((outcome) => {
      one.isOver = true;
      note(planned, outcome);
    });
    return one;
  }

  private async executeRun(job: OneJob, planned: PlannedRun): Promise<RunOutcome> {
    return this.outcomeOf(job, await this.openRun(job, planned));
  }

  private async openRun(job: OneJob, planned: PlannedRun): Promise<ActiveRun> {
    const { context } = this;
    const active = await ActiveRun.open(
      {
        run: planned.run,
        folder: join(context.runsFolder, planned.run),
        group: job.runs[0]?.run ?? planned.run,
        title: job.title,
        spec: planned.spec,
        pace: job.pace,
        runnerEntry: context.runnerEntry,
        versions: await context.versions(),
        gitCommit: context.gitCommit,
        hardware: await context.hardware(),
        ...(context.telemetry === undefined || planned.spec.engine !== 'cuda'
          ? {}
          : { telemetry: context.telemetry }),
      },
      () => this.tell(job, false),
      context.onLog,
    );
    job.active = active;
    job.open.add(active);
    planned.status = 'running';
    if (job.isOver || job.state === 'finishing') active.cancel();
    context.onRunStarted(active);
    return active;
  }

  /** Runs it to its end. */
  private async outcomeOf(job: OneJob, active: ActiveRun): Promise<RunOutcome> {
    const ended = active.execute();
    this.tell(job, true);
    this.context.onRunsChanged();
    try {
      return await ended;
    } finally {
      job.open.delete(active);
    }
  }

  private tell(job: OneJob, atOnce: boolean): void {
    const now = performance.now();
    const wait = job.lastEvent + eventMs - now;
    if (!atOnce && wait > 0) {
      job.eventTimer ??= setTimeout(() => {
        job.eventTimer = undefined;
        this.tell(job, true);
      }, wait);
      return;
    }
    clearTimeout(job.eventTimer);
    job.eventTimer = undefined;
    job.lastEvent = now;
    this.context.onJob(job.describe());
  }
}
