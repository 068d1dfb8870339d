import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { TableName } from '../../../workloads/run/tables.ts';
import { fileReason } from '../../shared/openFile.ts';
import { RunFailure } from '../../shared/runFailure.ts';
import { writerOf } from '../store/bundleLock.ts';
import { bundleTable } from '../store/bundleTable.ts';
import { liveName } from '../store/bundleWriter.ts';
import { quoteName, type RowSource } from '../store/duckdb.ts';
import { isLeftBehind, recoverBundle } from '../store/recovery.ts';
import { type Entry, RunIndex } from '../store/runIndex.ts';
import { isRunId } from '../store/runsFolder.ts';
import type { JobQueue } from './jobQueue.ts';

/** Runs by name, wherever they are: on disk, or still being written by this host. */
export class RunShelf {
  private readonly options: {
    readonly folder: string;
    /** A run may also be given as the path of its bundle. */
    readonly acceptsPaths: boolean;
    readonly index: RunIndex;
    readonly queue: JobQueue;
    readonly onLog: (level: 'warning', message: string) => void;
    /** How long a deletion can be undone, ms; absent: a minute. */
    readonly undoMs?: number;
  };
  private readonly deleted = new Map<string, NodeJS.Timeout>();

  constructor(options: RunShelf['options']) {
    this.options = options;
  }

  /** The folder of a run: by its name, or (command line) by its path. */
  folderOf(run: string): string {
    if (this.options.acceptsPaths && existsSync(join(resolve(run), 'manifest.json'))) return resolve(run);
    if (isRunId(run)) return join(this.options.folder, run);
    throw new RunFailure({ code: 'not_found', message: `no run "${run}"` });
  }

  /** A run's folder and what its manifest says; one that was left behind is put in order first. */
  async find(run: string): Promise<Entry & { readonly folder: string }> {
    const folder = this.folderOf(run);
    if (!existsSync(folder))
      throw new RunFailure({ code: 'not_found', message: `no run "${run}" in ${this.options.folder}` });
    const index =
      dirname(folder) === this.options.folder ? this.options.index : new RunIndex(dirname(folder));
    const entry = await index.entry(basename(folder));
    if ('reason' in entry) throw new RunFailure({ code: 'bad_input', message: `${folder}: ${entry.reason}` });
    if (this.options.queue.activeRun(run) === undefined && isLeftBehind(folder, entry.manifest)) {
      const { outcome, reason } = await recoverBundle(folder);
      if (outcome === 'failed')
        this.options.onLog('warning', `run ${run} was left behind and could not be put in order: ${reason}`);
      const again = await index.entry(basename(folder));
      if (!('reason' in again)) return { folder, ...again };
    }
    return { folder, ...entry };
  }

  /** Where the rows of a table are: in the running host's database, or in the bundle's Parquet; undefined without any. */
  async table(run: string, name: TableName): Promise<RowSource | undefined> {
    const active = this.options.queue.activeRun(run);
    if (active !== undefined && !active.writer.isSealed) {
      if (!active.writer.tables.some((schema) => schema.name === name)) return undefined;
      await active.writer.commit();
      return { instance: active.writer.instance, from: quoteName(name) };
    }
    const { folder, manifest } = await this.find(run);
    if (manifest.status !== 'running') return bundleTable(folder, manifest, name);
    const writer = writerOf(folder);
    if (existsSync(join(folder, liveName)) && active === undefined)
      throw new RunFailure({
        code: 'failed',
        message:
          writer === undefined
            ? `run ${run} was left behind and is not in order yet: look again in a moment`
            : `run ${run} is written by another Dyno (process ${writer}): look again when it is over`,
      });
    return undefined;
  }

  /** Takes finished runs out of the history; within `undoMs` `restore` brings them back, then they are gone from disk. */
  async remove(runs: readonly string[]): Promise<void> {
    for (const run of runs) {
      if (!isRunId(run)) throw new InputError(`"${run}" is not a run`);
      if (this.options.queue.isPlanned(run))
        throw new RunFailure({ code: 'failed', message: `run ${run} is still going on: cancel it first` });
      const folder = join(this.options.folder, run);
      if (!existsSync(folder)) throw new RunFailure({ code: 'not_found', message: `no run ${run}` });
      const writer = writerOf(folder);
      if (writer !== undefined && writer !== process.pid)
        throw new RunFailure({
          code: 'failed',
          message: `run ${run} is written by another Dyno (process ${writer})`,
        });
      const doomed = this.doomed(run);
      await rm(doomed, { recursive: true, force: true });
      await rename(folder, doomed);
      const timer = setTimeout(() => void this.purge(run), this.options.undoMs ?? undoMs);
      timer.unref();
      this.deleted.set(run, timer);
    }
  }

  /** Brings back what `remove` took. Throws RunFailure where it is gone. */
  async restore(runs: readonly string[]): Promise<void> {
    for (const run of runs) {
      if (!isRunId(run)) throw new InputError(`"${run}" is not a run`);
      clearTimeout(this.deleted.get(run));
      this.deleted.delete(run);
      const folder = join(this.options.folder, run);
      if (existsSync(folder)) continue;
      if (!existsSync(this.doomed(run)))
        throw new RunFailure({ code: 'not_found', message: `run ${run} is gone from disk` });
      await rename(this.doomed(run), folder);
    }
  }

  /** Removes from disk what was deleted by this host, and what a host that crashed left so an hour ago or longer. */
  async close(): Promise<void> {
    for (const [run, timer] of this.deleted) {
      clearTimeout(timer);
      await this.purge(run);
    }
    const names = await readdir(this.options.folder).catch(() => []);
    for (const name of names.filter((each) => each.startsWith(deletedPrefix))) {
      const path = join(this.options.folder, name);
      const { ctimeMs } = await stat(path).catch(() => ({ ctimeMs: Date.now() }));
      if (Date.now() - ctimeMs > 3_600_000) await rm(path, { recursive: true, force: true });
    }
  }

  private async purge(run: string): Promise<void> {
    this.deleted.delete(run);
    await rm(this.doomed(run), { recursive: true, force: true }).catch((thrown: unknown) =>
      this.options.onLog('warning', `run ${run} was deleted, and its files stay: ${fileReason(thrown)}`),
    );
  }

  private readonly doomed = (run: string): string => join(this.options.folder, `${deletedPrefix}${run}`);
}

/** A folder with a dot is no run for the history. */
const deletedPrefix = '.deleted-';
const undoMs = 60_000;
