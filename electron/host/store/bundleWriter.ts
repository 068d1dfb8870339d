import { rmSync } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { logTable, type TableName, type TableSchema } from '../../../workloads/run/tables.ts';
import type { StreamBatch } from '../../shared/stream/message.ts';
import { syncFolder } from './atomicFile.ts';
import { inFlight, openDatabase, quoteName, quoteText } from './duckdb.ts';
import { type FoundColumn, isTableName, readableColumns } from './knownTables.ts';
import { chunkRows, RowWriter } from './rowWriter.ts';

export const liveName = 'live.duckdb';

/** The design promises one second; the rest of it is left for the commit itself and for what waits in the pipe. */
const commitMs = 300;
/**
 * A transaction with more rows than a row group of DuckDB (122,880) is compressed and written while it is appended to, on
 * this thread; a shorter one at its commit, on DuckDB's.
 */
const commitRows = 100_000;
/** Longest stretch of copying before other work of the host gets its turn. */
const sliceMs = 5;
/** As many rows may wait as are written in this time; the runner has to wait with the others. */
const waitingMs = 250;
const fewestRows = 8_192;
const mostRows = 400_000;
/** Before anything was measured, rows per ms. */
const firstRate = 200;

/**
 * Requests come at their end and are kept in order of arrival. The others come in order of time, and so a stretch of time or
 * a request's decisions lie together: the row groups elsewhere are skipped.
 */
const order: Partial<Record<TableName, string>> = { requests: 'iteration, request' };

/** A run's tables while it goes on: batches in, committed within a second of their arrival, Parquet out at the end. */
export class BundleWriter {
  readonly folder: string;
  readonly instance: DuckDBInstance;
  /** Rows received per table. */
  readonly rows = new Map<TableName, number>();
  private readonly connection: DuckDBConnection;
  private readonly writers = new Map<TableName, RowWriter>();
  private readonly schemas = new Map<TableName, TableSchema>();
  private readonly queue: { readonly batch: StreamBatch; readonly at: number; from: number }[] = [];
  private waiting = 0;
  private uncommitted = 0;
  /** When the oldest row of the open transaction arrived. */
  private oldestUncommitted: number | undefined;
  /** Rows per ms from the queue to the disk, of late. */
  private rate = firstRate;
  private busySince = 0;
  private working: Promise<void> | undefined;
  private isInTransaction = false;
  private isClosed = false;
  private commitTimer: NodeJS.Timeout | undefined;
  private failure: Error | undefined;
  private caughtUp: (() => void)[] = [];
  private readonly onFailure: (error: Error) => void;

  private constructor(
    folder: string,
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    onFailure: (error: Error) => void,
  ) {
    this.folder = folder;
    this.instance = instance;
    this.connection = connection;
    this.onFailure = onFailure;
  }

  static async create(folder: string, onFailure: (error: Error) => void): Promise<BundleWriter> {
    const instance = await openDatabase(join(folder, liveName), {
      folders: [folder],
      // The file goes at the end of the run: compressing it on the way, or at its end, is work for nothing.
      settings: ["SET checkpoint_threshold = '1GB'", 'PRAGMA disable_checkpoint_on_shutdown'],
    });
    const connection = await instance.connect();
    return new BundleWriter(folder, instance, connection, onFailure);
  }

  get tables(): readonly TableSchema[] {
    return [...this.schemas.values()];
  }

  /** Closed: its tables are read from Parquet now. */
  get isSealed(): boolean {
    return this.isClosed;
  }

  get failed(): Error | undefined {
    return this.failure;
  }

  /** More waits than is written in a quarter of a second. */
  get isBehind(): boolean {
    return this.waiting > this.allowed;
  }

  /** Age of the oldest row that a kill would lose, ms. */
  get unsavedMs(): number {
    const oldest = this.oldestUncommitted ?? this.queue[0]?.at;
    return oldest === undefined ? 0 : performance.now() - oldest;
  }

  private get allowed(): number {
    return Math.min(mostRows, Math.max(fewestRows, this.rate * waitingMs));
  }

  append(batch: StreamBatch): void {
    if (batch.rows === 0 || this.failure !== undefined) return;
    const { name } = batch.schema;
    this.rows.set(name, (this.rows.get(name) ?? 0) + batch.rows);
    this.schemas.set(name, batch.schema);
    this.queue.push({ batch, at: performance.now(), from: 0 });
    this.waiting += batch.rows;
    this.start();
  }

  log(level: string, message: string, timeNs: number): void {
    this.append({
      kind: 'batch',
      schema: logTable,
      rows: 1,
      columns: [
        Float64Array.of(timeNs),
        { codes: Int32Array.of(0), dictionary: [level] },
        { codes: Int32Array.of(0), dictionary: [message] },
      ],
    });
  }

  /** Resolves when the queue is short again. */
  whenCaughtUp(): Promise<void> {
    if (this.waiting <= this.allowed / 4 || this.failure !== undefined) return Promise.resolve();
    return new Promise((resolve) => this.caughtUp.push(resolve));
  }

  /** Everything received so far is committed when it resolves; throws what kept it from that. */
  async commit(): Promise<void> {
    while (this.working !== undefined) await this.working;
    if (this.failure !== undefined) throw this.failure;
    this.working = this.commitNow().finally(() => {
      this.working = undefined;
    });
    await this.working;
    if (this.failure !== undefined) throw this.failure;
    if (this.queue.length > 0) this.start();
  }

  private start(): void {
    this.working ??= this.drain().finally(() => {
      this.working = undefined;
      if (this.queue.length > 0 && this.failure === undefined) this.start();
    });
  }

  private async drain(): Promise<void> {
    try {
      while (this.queue.length > 0) {
        const begin = performance.now();
        while (this.queue.length > 0 && this.uncommitted < commitRows && performance.now() - begin < sliceMs)
          await this.appendNext();
        if (
          this.uncommitted >= commitRows ||
          performance.now() - (this.oldestUncommitted ?? begin) >= commitMs
        )
          await this.commitNow();
        await new Promise((resolve) => setImmediate(resolve));
      }
      // What trickles in is committed in time too.
      if (this.isInTransaction && this.commitTimer === undefined) {
        this.commitTimer = setTimeout(() => {
          this.commitTimer = undefined;
          // What went wrong is kept in `failure` and told by `onFailure`.
          void this.commit().catch(() => undefined);
        }, commitMs);
      }
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  private async appendNext(): Promise<void> {
    const head = this.queue[0];
    if (head === undefined) return;
    const { batch } = head;
    // Before the first table is made: each one made outside a transaction would be a commit of its own, with its wait for the disk.
    if (!this.isInTransaction) {
      await inFlight(this.connection.run('BEGIN'));
      this.isInTransaction = true;
      this.oldestUncommitted = head.at;
      this.busySince = performance.now();
    }
    let writer = this.writers.get(batch.schema.name);
    if (writer === undefined) {
      writer = await RowWriter.create(this.connection, batch.schema);
      this.writers.set(batch.schema.name, writer);
    }
    const to = Math.min(batch.rows, head.from + chunkRows);
    writer.append(batch, head.from, to);
    this.waiting -= to - head.from;
    this.uncommitted += to - head.from;
    head.from = to;
    if (to >= batch.rows) this.queue.shift();
    if (this.waiting <= this.allowed / 4) {
      for (const resolve of this.caughtUp.splice(0)) resolve();
    }
  }

  private async commitNow(): Promise<void> {
    try {
      for (const writer of this.writers.values()) {
        writer.flush();
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (this.isInTransaction) {
        await inFlight(this.connection.run('COMMIT'));
        this.measure();
        this.isInTransaction = false;
        this.oldestUncommitted = undefined;
        this.uncommitted = 0;
      }
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  /** The pace of transactions that were full of work; one that waited for rows says nothing. */
  private measure(): void {
    if (this.uncommitted < fewestRows || this.queue.length === 0) return;
    const seen = this.uncommitted / Math.max(1, performance.now() - this.busySince);
    this.rate = seen < this.rate ? seen : 0.8 * this.rate + 0.2 * seen;
  }

  private fail(thrown: unknown): void {
    if (this.failure !== undefined) return;
    this.failure = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.queue.length = 0;
    this.waiting = 0;
    for (const resolve of this.caughtUp.splice(0)) resolve();
    this.onFailure(this.failure);
  }

  /** Waits for the queue, then writes each table as Parquet. The database stays until `remove`. */
  async export(): Promise<void> {
    while (this.queue.length > 0 && this.failure === undefined) {
      if (this.working === undefined) this.start();
      await this.working;
    }
    await this.commit();
    await exportTables(this.connection, this.folder);
  }

  /** Closes the database; with `remove` its files go too. */
  close(options: { readonly remove: boolean }): void {
    clearTimeout(this.commitTimer);
    this.isClosed = true;
    try {
      for (const writer of this.writers.values()) writer.close();
    } catch {
      // After a failed commit an appender cannot flush; its failure was told then.
    }
    try {
      this.connection.closeSync();
      this.instance.closeSync();
    } catch {
      // Closed already, or not closable after a failure: the process keeps nothing that a later start needs.
    }
    if (options.remove) removeDatabase(this.folder);
  }
}

export function removeDatabase(folder: string): void {
  for (const end of ['', '.wal', '.tmp'])
    rmSync(join(folder, liveName + end), { force: true, recursive: true });
}

/**
 * One Parquet file per base table that Dyno knows, with the columns that it knows; each is written beside its name first. A
 * view, or a table of another name, may lead anywhere: it is not read. Returns the names of the files.
 */
export async function exportTables(connection: DuckDBConnection, folder: string): Promise<string[]> {
  const found = await inFlight(
    connection.runAndReadAll(
      `SELECT table_name, column_name, data_type FROM duckdb_columns()
       JOIN duckdb_tables() USING (database_name, schema_name, table_name)
       WHERE database_name = current_database() AND schema_name = 'main' ORDER BY table_name, column_index`,
    ),
  );
  const tables = new Map<TableName, FoundColumn[]>();
  for (const [table, column, type] of found.getRows()) {
    if (typeof table !== 'string' || !isTableName(table)) continue;
    const columns = tables.get(table) ?? [];
    columns.push({ name: String(column), type: String(type) });
    tables.set(table, columns);
  }
  const names: string[] = [];
  for (const [name, columns] of tables) {
    const path = join(folder, `${name}.parquet`);
    const by = order[name];
    const chosen = readableColumns(name, columns).map((column) => quoteName(column.name));
    const rows = `SELECT ${chosen.join(', ')} FROM main.${quoteName(name)}${by === undefined ? '' : ` ORDER BY ${by}`}`;
    await inFlight(
      connection.run(`COPY (${rows}) TO ${quoteText(`${path}.tmp`)} (FORMAT parquet, COMPRESSION zstd)`),
    );
    if ((await stat(`${path}.tmp`)).size === 0) throw new Error(`${path} came out empty`);
    await rename(`${path}.tmp`, path);
    names.push(`${name}.parquet`);
  }
  await syncFolder(folder);
  return names;
}
