import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { AnySpec } from '../../workloads/kernels/kernelSpec.ts';
import { InputError } from '../../workloads/run/inputError.ts';
import type { HostEvent } from '../contract/events.ts';
import type { Pace } from '../contract/protocol.ts';
import { type HostMethod, type HostParams, type HostResults, hostMethods } from '../contract/protocol.ts';
import { requireBounded } from '../shared/boundedMessage.ts';
import { withKind } from '../shared/kinds/runKinds.ts';
import { driverLibraries, openDrivers, telemetryPeriods } from '../shared/nativeDrivers.ts';
import { RunFailure } from '../shared/runFailure.ts';
import { probeServer } from '../shared/servers/probeServer.ts';
import { captureMethods } from './captures/captureMethods.ts';
import { CaptureQueue } from './captures/captureQueue.ts';
import type { ReportTasks } from './captures/thread/reportTasks.ts';
import { type Client, type Methods, requireGranted } from './client.ts';
import { Comparisons } from './compare/comparisons.ts';
import { everyPath, filesOf, type Grants, WindowGrants } from './grants.ts';
import { HeavyTasks } from './heavyTasks.ts';
import { withHostKind } from './kinds/hostKinds.ts';
import { LiveFeed } from './live/liveFeed.ts';
import { measuredCeilingsIn } from './machine/ceilingsFiles.ts';
import { checkDoctor } from './machine/doctor/checkDoctor.ts';
import { describeMachine } from './machine/doctor/describeMachine.ts';
import type { DoctorDeps } from './machine/doctor/doctorDeps.ts';
import { dynoVersion, gitCommit, hardwareOf, projectFolder, versionsOf } from './machine/dynoVersion.ts';
import { changeMachineSettings, machineSettings } from './machine/machineSettings.ts';
import { describedTopology, readTopology } from './machine/machineTopology.ts';
import { GpuTelemetry, samplesOf } from './machine/telemetry/gpuTelemetry.ts';
import { openedFile } from './open/openedFile.ts';
import type { ActiveRun } from './runs/activeRun.ts';
import { exportRun } from './runs/exportRun.ts';
import { JobQueue } from './runs/jobQueue.ts';
import { RunReads } from './runs/runReads.ts';
import { RunShelf } from './runs/runShelf.ts';
import { writeAtomically } from './store/atomicFile.ts';
import { duckdbIdle } from './store/duckdb.ts';
import { type Hardware, type Manifest, writeManifest } from './store/manifest.ts';
import { type Recovered, recoverRuns } from './store/recovery.ts';
import { RunIndex } from './store/runIndex.ts';
import { homeFolder } from './store/runsFolder.ts';
import { RunsWatcher } from './store/runsWatcher.ts';
import { readUserSettings } from './store/userSettings.ts';
import { queueCurve } from './sweeps/queueCurve.ts';
import { sweepMethods } from './sweeps/sweepMethods.ts';
import { SweepQueue } from './sweeps/sweepQueue.ts';

export interface HostOptions {
  readonly runsFolder: string;
  /** The bundled runner: out/runner.mjs. */
  readonly runnerEntry: string;
  /** `import.meta.url` of the entry: package.json and the native addon are looked for from there. */
  readonly moduleUrl: string;
  readonly nativeFolder: string;
  /** On the command line a run may also be given as the path of its bundle. */
  readonly acceptsPaths?: boolean;
}

/** Everything behind the window and the command line: runs, bundles, queries. Knows no transport. */
export class Host {
  readonly runsFolder: string;
  private readonly options: HostOptions;
  private readonly index: RunIndex;
  private readonly queue: JobQueue;
  private readonly shelf: RunShelf;
  private readonly reads: RunReads;
  private readonly telemetry: GpuTelemetry;
  private readonly tasks: HeavyTasks;
  private readonly reports: HeavyTasks<ReportTasks>;
  private readonly captures: CaptureQueue;
  private readonly sweeps: SweepQueue;
  private readonly clients = new Set<Client>();
  private readonly doctorDeps: DoctorDeps;
  private readonly version: string;
  private readonly project: string;
  private versions: Promise<Record<string, string>> | undefined;
  private hardware: Promise<Hardware> | undefined;
  private frame = 1;
  private readonly methods: Methods;
  private watcher: RunsWatcher | undefined;

  constructor(options: HostOptions) {
    this.options = options;
    this.runsFolder = options.runsFolder;
    this.project = projectFolder(options.moduleUrl);
    this.version = dynoVersion(this.project);
    this.index = new RunIndex(options.runsFolder);
    this.tasks = new HeavyTasks(options.runnerEntry);
    // The thread keeps imported reports in memory, so it ends only after five idle minutes.
    this.reports = new HeavyTasks(join(dirname(options.runnerEntry), 'captures.mjs'), 300_000);
    this.captures = new CaptureQueue({
      capturesFolder: join(options.runsFolder, '..', 'captures'),
      runsFolder: options.runsFolder,
      runnerEntry: options.runnerEntry,
      reports: this.reports,
      about: async () => {
        const commit = gitCommit(this.project);
        return {
          versions: await this.versionsOnce(),
          hardware: await this.hardwareOnce(),
          ...(commit === undefined ? {} : { git_commit: commit }),
        };
      },
      onCapture: (capture) => this.broadcast({ event: 'capture', capture }),
      onRunsChanged: () => this.broadcast({ event: 'runs_changed' }),
      onLog: (level, message) => this.broadcast({ event: 'log', time_ms: Date.now(), level, message }),
    });
    this.sweeps = new SweepQueue({
      sweepsFolder: join(options.runsFolder, '..', 'sweeps'),
      runnerEntry: options.runnerEntry,
      acceptsPaths: options.acceptsPaths ?? false,
      onSweep: (sweep) => this.broadcast({ event: 'sweep', sweep }),
    });
    this.doctorDeps = {
      nativeFolder: options.nativeFolder,
      runsFolder: options.runsFolder,
      version: this.version,
      libraries: driverLibraries(),
      get tools() {
        return readUserSettings(homeFolder()).tools;
      },
    };
    this.telemetry = new GpuTelemetry(() => openDrivers(options.nativeFolder), telemetryPeriods());
    this.queue = new JobQueue({
      runsFolder: options.runsFolder,
      runnerEntry: options.runnerEntry,
      versions: () => this.versionsOnce(),
      gitCommit: gitCommit(this.project),
      hardware: () => this.hardwareOnce(),
      telemetry: this.telemetry,
      onJob: (job) => this.broadcast({ event: 'job', job }),
      onRunStarted: (run) => this.runStarted(run),
      onRunsChanged: () => this.broadcast({ event: 'runs_changed' }),
      onLog: (level, message) => this.broadcast({ event: 'log', time_ms: Date.now(), level, message }),
    });
    this.shelf = new RunShelf({
      folder: options.runsFolder,
      acceptsPaths: options.acceptsPaths ?? false,
      index: this.index,
      queue: this.queue,
      onLog: (level, message) => this.broadcast({ event: 'log', time_ms: Date.now(), level, message }),
    });
    this.reads = new RunReads(this.shelf, new Comparisons(this.shelf, this.tasks));
    this.methods = this.allMethods();
  }

  /** Puts in order what an earlier host left behind. */
  async recover(): Promise<Recovered[]> {
    const recovered = await recoverRuns(await this.index.leftBehind());
    for (const { run, outcome, reason } of recovered) {
      const detail = reason === undefined ? '' : `: ${reason}`;
      this.broadcast({
        event: 'log',
        time_ms: Date.now(),
        level: outcome === 'failed' ? 'warning' : 'info',
        message: `run ${run} was left behind by an earlier host: ${outcome}${detail}`,
      });
    }
    if (recovered.length > 0) this.broadcast({ event: 'runs_changed' });
    return recovered;
  }

  /** Tells of runs that other processes make or remove, as long as the host lives. */
  watchRuns(): void {
    this.watcher ??= new RunsWatcher(
      this.runsFolder,
      (name) => this.queue.isPlanned(name),
      () => this.broadcast({ event: 'runs_changed' }),
    );
    this.watcher.start();
  }

  connect(send: (event: HostEvent) => void, grants: Grants = everyPath): Client {
    const client: Client = { send, grants, feed: undefined, machineFeed: undefined };
    this.clients.add(client);
    return client;
  }

  disconnect(client: Client): void {
    client.feed?.close();
    client.machineFeed?.close();
    this.clients.delete(client);
  }

  /** Checks the parameters and answers; throws RunFailure or InputError. */
  async request<M extends HostMethod>(
    client: Client,
    method: M,
    params: HostParams<M>,
  ): Promise<HostResults[M]> {
    return (await this.call(client, method, params)) as HostResults[M];
  }

  /** The same for a method and parameters that came as a message. */
  async call(client: Client, method: string, params: unknown): Promise<unknown> {
    if (!isMethod(method)) throw new RunFailure({ code: 'bad_input', message: `no method "${method}"` });
    requireBounded(method, params);
    const parsed = hostMethods[method].safeParse(params);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new RunFailure({
        code: 'bad_input',
        message: `${method}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`,
        detail: z.prettifyError(parsed.error),
      });
    }
    // Method and parameters belong together by the lookup above, which the compiler cannot see.
    const answer = this.methods[method] as (params: unknown, client: Client) => unknown;
    const run = 'run' in parsed.data && typeof parsed.data.run === 'string' ? parsed.data.run : '';
    const active = this.queue.activeRun(run);
    const wasOpen = active !== undefined && !active.writer.isSealed;
    try {
      return await answer(parsed.data, client);
    } catch (thrown) {
      // The run ended while it was asked, and took its database along: its Parquet files are there now.
      if (wasOpen && active.writer.isSealed && isRead(method)) return answer(parsed.data, client);
      throw thrown;
    }
  }

  /** Cancels jobs, keeps the rows that were measured, and closes every resource. */
  async close(): Promise<void> {
    this.watcher?.close();
    for (const client of this.clients) {
      client.feed?.close();
      client.machineFeed?.close();
    }
    await Promise.all([this.queue.close(), this.captures.close(), this.sweeps.close()]);
    await this.shelf.close();
    await this.telemetry.close();
    await Promise.all([this.tasks.close(), this.reports.close()]);
    await this.index.save();
    await duckdbIdle();
  }

  killRuns(): void {
    this.queue.killAll();
  }

  /** The methods of the rooms, and those that need several of them. */
  private allMethods(): Methods {
    return {
      ...captureMethods(this.captures, this.shelf),
      ...sweepMethods(this.sweeps),
      'machine.describe': () => describeMachine(this.doctorDeps),
      'machine.topology': async () => describedTopology(await readTopology(this.options.nativeFolder)),
      'doctor.check': async () => ({ checks: [...(await checkDoctor(this.doctorDeps))] }),
      'settings.read': () => machineSettings(this.runsFolder),
      'settings.write': async (change, client) => {
        await changeMachineSettings(change, client.grants);
        return machineSettings(this.runsFolder);
      },
      'files.open': async ({ path }, client) =>
        openedFile(await client.grants.read(path), this.runsFolder, { dyno: this.version }),
      'traffic.preview': async (question, client) => {
        await requireGranted(client, question.traffic);
        return this.tasks.ask('preview', question);
      },
      'servers.probe': ({ server }) => probeServer(server, { generates: true }),
      'runs.start': async ({ title, specs, pace }, client) => {
        await requireGranted(client, specs);
        return this.startRuns(title, specs, pace);
      },
      'jobs.cancel': ({ job }) => {
        this.queue.cancel(job);
        return {};
      },
      'jobs.list': () => ({ jobs: this.queue.list() }),
      'live.watch': ({ run }, client) => this.watch(client, run),
      'machine.watch': ({ on }, client) => this.watchMachine(client, on),
      'live.ack': ({ frame }, client) => {
        client.feed?.acknowledge(frame);
        client.machineFeed?.acknowledge(frame);
        return {};
      },
      'runs.list': ({ since }) => this.index.changes(since),
      'runs.open': async ({ run }, client) => {
        const opened = await this.reads.open(run);
        // The window may run this spec again, so it may read the spec's files.
        if (client.grants instanceof WindowGrants)
          for (const file of filesOf(opened.manifest.spec)) client.grants.admitReading(file);
        return opened;
      },
      'runs.annotate': async ({ run, tags, note }) => {
        const { folder, manifest } = await this.shelf.find(run);
        if (this.queue.activeRun(run) !== undefined)
          throw new RunFailure({ code: 'failed', message: `run ${run} is still going on` });
        await writeManifest(folder, {
          ...manifest,
          ...(tags === undefined ? {} : { tags }),
          ...(note === undefined ? {} : { note }),
        });
        this.broadcast({ event: 'runs_changed' });
        return {};
      },
      'runs.delete': async ({ runs }) => {
        await this.shelf.remove(runs);
        this.broadcast({ event: 'runs_changed' });
        return {};
      },
      'runs.restore': async ({ runs }) => {
        await this.shelf.restore(runs);
        this.broadcast({ event: 'runs_changed' });
        return {};
      },
      'runs.series': (question) => this.reads.series(question),
      'runs.sources': ({ run }) => this.reads.sources(run),
      'runs.cdf': (question) => this.reads.cdf(question),
      'runs.rows': (question) => this.reads.rows(question),
      'runs.decisions': (question) => this.reads.decisions(question),
      'runs.compare': ({ baseline, optimized }) => this.reads.compare(baseline, optimized),
      'runs.export': async ({ run, format, table = 'requests', path }, client) => {
        const { folder, manifest } = await this.shelf.find(run);
        if (manifest.status === 'running')
          throw new RunFailure({
            code: 'failed',
            message: `run ${run} is still going on: export it when it is over`,
          });
        const source =
          table === 'summary' || !['csv', 'json', 'parquet'].includes(format)
            ? undefined
            : await this.shelf.table(run, table);
        const target = await client.grants.write(path);
        const bytes = await exportRun({ format, path: target, folder, manifest, table, source });
        return { path: target, bytes };
      },
      'runs.roofline': async ({ run }) => {
        const { folder, manifest } = await this.shelf.find(run);
        if (manifest.status === 'running')
          throw new RunFailure({
            code: 'failed',
            message: `run ${run} is still going on: its points come at its end`,
          });
        const measured = await measuredCeilingsIn(join(this.runsFolder, '..', 'ceilings'));
        return this.reports.ask('runPoints', { folder, measured });
      },
      'roofline.ceilings': async ({ path }, client) => ({
        cards: await measuredCeilingsIn(
          join(this.runsFolder, '..', 'ceilings'),
          path === undefined ? undefined : await client.grants.read(path),
        ),
      }),
      'queue.run': (question) => queueCurve(question, (specs) => this.tasks.ask('queue', { specs })),
      'runs.report': async ({ baseline, optimized, path }, client) => {
        const target = await client.grants.write(path);
        const html = await this.report(baseline, optimized);
        if (!existsSync(dirname(target)))
          throw new InputError(`${path}: there is no folder ${dirname(target)}`);
        await writeAtomically(target, html);
        return { path: target, bytes: Buffer.byteLength(html) };
      },
    };
  }

  private startRuns(title: string, specs: Parameters<JobQueue['start']>[1], pace: Pace) {
    const pinned = specs.map((spec) => withKind<AnySpec>(spec, (kind, own) => kind.pinned(own)));
    const { job, runs } = this.queue.start(title, pinned, pace);
    return { job, runs };
  }

  private runStarted(active: ActiveRun): void {
    for (const { feed } of this.clients) if (feed?.run === active.plan.run) void feed.follow(active);
  }

  private async watch(client: Client, run: string | null) {
    client.feed?.close();
    client.feed = undefined;
    if (run === null) return {};
    const feed = new LiveFeed(
      run,
      () => this.frame++,
      (frame) => client.send(frame),
    );
    const active = this.queue.activeRun(run);
    if (active !== undefined && !active.writer.isSealed) {
      client.feed = feed;
      await feed.follow(active);
    } else if (active === undefined && this.queue.isPlanned(run)) client.feed = feed;
    else {
      const samples = await this.shelf.table(run, 'samples');
      client.feed = feed;
      await feed.replay(samples);
    }
    return {};
  }

  private watchMachine(client: Client, on: boolean) {
    client.machineFeed?.close();
    client.machineFeed = undefined;
    if (!on) return {};
    const feed = new LiveFeed(
      machineRun,
      () => this.frame++,
      (frame) => client.send(frame),
    );
    client.machineFeed = feed;
    feed.hear((take) =>
      this.telemetry.listen((readings) => {
        take(samplesOf(readings, readings.originNs));
        for (const { level, message } of readings.notices)
          client.send({ event: 'log', time_ms: Date.now(), level, message });
      }),
    );
    return {};
  }

  /** The report of a comparison (or of one run, given twice) as a self-contained page. */
  async report(baseline: string, optimized: string): Promise<string> {
    const { spec } = await this.reads.manifest(baseline);
    return withHostKind(spec, (kind) =>
      kind.report(this.reads, { baseline, optimized, version: this.version }),
    );
  }

  folderOf(run: string): string {
    return this.shelf.folderOf(run);
  }

  async manifestOf(run: string): Promise<Manifest> {
    return (await this.shelf.find(run)).manifest;
  }

  private versionsOnce(): Promise<Record<string, string>> {
    this.versions ??= versionsOf(this.project);
    return this.versions;
  }

  /** GPUs come from the machine description; where that fails the rest is still told. */
  private hardwareOnce(): Promise<Hardware> {
    this.hardware ??= describeMachine(this.doctorDeps).then(
      ({ gpus }) => hardwareOf([...gpus]),
      () => hardwareOf([]),
    );
    return this.hardware;
  }

  private broadcast(event: HostEvent): void {
    for (const client of this.clients) client.send(event);
  }
}

/** The run id in frames of the machine's own stream. */
const machineRun = 'machine';

/** Asking again does no harm: nothing is started, written or removed. */
const reads: ReadonlySet<HostMethod> = new Set<HostMethod>([
  'runs.series',
  'runs.sources',
  'runs.cdf',
  'runs.rows',
  'runs.decisions',
  'runs.open',
  'runs.compare',
  'runs.roofline',
]);
const isRead = (method: HostMethod): boolean => reads.has(method);

const isMethod = (method: string): method is HostMethod => Object.hasOwn(hostMethods, method);
