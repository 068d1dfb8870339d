import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { paretoFront } from '../../../workloads/harness/sweep/pareto.ts';
import type { SweepPoint } from '../../../workloads/harness/sweep/point.ts';
import { planSweep } from '../../../workloads/harness/sweep/sweepPlan.ts';
import type { SweepSpec } from '../../../workloads/harness/sweep/sweepSpec.ts';
import type { SweepContents, SweepInfo } from '../../contract/sweeps.ts';
import { asHostError, RunFailure } from '../../shared/runFailure.ts';
import { HeavyTasks } from '../heavyTasks.ts';
import { isRunId, newRunId } from '../store/runsFolder.ts';
import { runSweep } from './runSweep.ts';
import {
  createSweep,
  PointWriter,
  readSweep,
  removeSweep,
  type SweepHead,
  sweepFolders,
  sweepIdOf,
} from './sweepFolder.ts';

export interface SweepContext {
  readonly sweepsFolder: string;
  readonly runnerEntry: string;
  /** On the command line a sweep may be given as its folder. */
  readonly acceptsPaths: boolean;
  readonly onSweep: (sweep: SweepInfo) => void;
}

interface OpenSweep {
  info: SweepInfo;
  readonly points: SweepPoint[];
  readonly head: SweepHead;
  isCancelled: boolean;
  lastEvent: number;
  readonly workers: HeavyTasks[];
  ended: Promise<void>;
}

const eventMs = 150;

/** Sweeps: those on disk, and those that go on in this process, each on as many threads as were asked for. */
export class SweepQueue {
  private readonly context: SweepContext;
  private readonly open = new Map<string, OpenSweep>();

  constructor(context: SweepContext) {
    this.context = context;
  }

  async start(order: {
    readonly title: string;
    readonly spec: SweepSpec;
    readonly jobs?: number | undefined;
    readonly folder?: string | undefined;
  }): Promise<string> {
    // Before anything is written: a sweep that cannot be leaves no folder.
    const plan = planSweep(order.spec);
    plan.search.next([]);
    const { folder: own } = order;
    const folder =
      own !== undefined && this.context.acceptsPaths
        ? resolve(own)
        : join(this.context.sweepsFolder, newRunId(order.spec.search.kind));
    const head = await createSweep(folder, order.title, order.spec);
    return this.run(folder, head, [], order.jobs);
  }

  async resume(sweep: string, jobs?: number): Promise<string> {
    const folder = this.folderOf(sweep);
    const open = this.open.get(sweepIdOf(folder));
    if (open?.info.state === 'running')
      throw new RunFailure({ code: 'failed', message: `sweep ${sweep} is going on already` });
    const { head, points } = await readSweep(folder);
    return this.run(folder, head, points, jobs);
  }

  private run(folder: string, head: SweepHead, known: SweepPoint[], jobs = availableParallelism()): string {
    const id = sweepIdOf(folder);
    const plan = planSweep(head.spec);
    const begin = performance.now();
    const workers = Array.from({ length: jobs }, () => new HeavyTasks(this.context.runnerEntry));
    const sweep: OpenSweep = {
      info: {
        ...infoOf(folder, head, known),
        state: 'running',
        total: plan.search.total,
        jobs,
      },
      points: [...known],
      head,
      isCancelled: false,
      lastEvent: 0,
      workers,
      ended: Promise.resolve(),
    };
    this.open.set(id, sweep);
    const before = known.length;
    const tell = (change: Partial<SweepInfo>) => {
      const elapsed = performance.now() - begin;
      const done = sweep.points.length;
      const each = elapsed / Math.max(1, done - before);
      const { eta_ms: _, ...rest } = sweep.info;
      sweep.info = {
        ...rest,
        ...(done > before ? { eta_ms: Math.round(each * (plan.search.total - done)) } : {}),
        ...change,
        done,
        elapsed_ms: Math.round(elapsed),
      };
      this.context.onSweep(sweep.info);
    };
    tell({});
    const free = [...workers];
    const work = async () => {
      const writer = await PointWriter.open(folder);
      try {
        await runSweep({
          plan,
          known,
          jobs,
          isCancelled: () => sweep.isCancelled,
          simulate: async (spec) => {
            const worker = free.pop();
            if (worker === undefined) throw new Error('sweep: more runs at once than workers');
            try {
              return await worker.ask('simulate', { spec });
            } finally {
              free.push(worker);
            }
          },
          onPoint: async (point) => {
            await writer.write(point);
            sweep.points.push(point);
            const now = performance.now();
            if (now - sweep.lastEvent < eventMs) return;
            sweep.lastEvent = now;
            tell({});
          },
        });
      } finally {
        await writer.close();
        await Promise.all(workers.map((worker) => worker.close(0)));
      }
    };
    sweep.ended = work().then(
      () => tell({ state: sweep.isCancelled ? 'cancelled' : 'done' }),
      (thrown: unknown) =>
        sweep.isCancelled
          ? tell({ state: 'cancelled' })
          : tell({ state: 'failed', error: asHostError(thrown) }),
    );
    return id;
  }

  cancel(sweep: string): void {
    const open = this.open.get(sweep);
    if (open === undefined || open.info.state !== 'running') return;
    open.isCancelled = true;
    // Its points that go on end as cancelled.
    for (const worker of open.workers) void worker.close(0);
  }

  async list(): Promise<SweepInfo[]> {
    const infos = await Promise.all(
      (await sweepFolders(this.context.sweepsFolder)).map(async (folder): Promise<SweepInfo[]> => {
        if (this.open.has(sweepIdOf(folder))) return [];
        try {
          const { head, points } = await readSweep(folder);
          return [infoOf(folder, head, points)];
        } catch {
          return [];
        }
      }),
    );
    return [...[...this.open.values()].map(({ info }) => info), ...infos.flat()].sort((a, b) =>
      a.created < b.created ? 1 : -1,
    );
  }

  async read(sweep: string): Promise<SweepContents> {
    const open = this.open.get(sweep);
    const folder = this.folderOf(sweep);
    const { head, points } =
      open === undefined ? await readSweep(folder) : { head: open.head, points: open.points };
    const ordered = [...points].sort((a, b) => a.index - b.index);
    return {
      info: open?.info ?? infoOf(folder, head, points),
      spec: head.spec,
      points: ordered,
      front: paretoFront(ordered, head.spec.objectives).map((i) => ordered[i]?.index ?? 0),
    };
  }

  async remove(sweep: string): Promise<void> {
    if (this.open.get(sweep)?.info.state === 'running')
      throw new RunFailure({ code: 'failed', message: `sweep ${sweep} is going on: cancel it first` });
    const folder = this.folderOf(sweep);
    await readSweep(folder);
    await removeSweep(folder);
    this.open.delete(sweepIdOf(folder));
  }

  /** Cancels what goes on and waits for its files. */
  async close(): Promise<void> {
    for (const id of this.open.keys()) this.cancel(id);
    await Promise.all([...this.open.values()].map(({ ended }) => ended));
  }

  private folderOf(sweep: string): string {
    if (this.context.acceptsPaths && existsSync(join(resolve(sweep), 'sweep.json'))) return resolve(sweep);
    const open = this.open.get(sweep);
    if (open !== undefined) return open.info.folder;
    const folder = join(this.context.sweepsFolder, sweep);
    if (isRunId(sweep) && existsSync(join(folder, 'sweep.json'))) return folder;
    throw new RunFailure({
      code: 'not_found',
      message: `no sweep "${sweep}" in ${this.context.sweepsFolder}`,
    });
  }
}

function infoOf(folder: string, head: SweepHead, points: readonly SweepPoint[]): SweepInfo {
  const total = totalOf(head);
  return {
    sweep: sweepIdOf(folder),
    title: head.title,
    target: head.spec.target,
    search: head.spec.search.kind,
    state: total !== undefined && points.length >= total ? 'done' : 'interrupted',
    done: points.length,
    total: total ?? points.length,
    created: head.created,
    elapsed_ms: 0,
    jobs: 0,
    folder,
  };
}

/** Undefined where the catalogue no longer has the target as it was. */
function totalOf(head: SweepHead): number | undefined {
  try {
    return planSweep(head.spec).search.total;
  } catch {
    return undefined;
  }
}
