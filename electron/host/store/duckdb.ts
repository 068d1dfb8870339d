import { dirname, join, resolve } from 'node:path';
import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api';

/** Loaded at first use: `dyno list` and `--help` do without it. */
const load = () => import('@duckdb/node-api');

/** How every database is opened, a file or memory. */
export const options = {
  threads: '2',
  memory_limit: '1GB',
  // Nothing is ever downloaded; Parquet is built in.
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
} as const;

/** The folders that the SQL of one database may read, apart from the database's own files. */
export interface Access {
  /** Folders whose files may be read and written. */
  readonly folders?: readonly string[];
  /** Single files that may be read and written. */
  readonly files?: readonly string[];
  /** The database file is not changed: its WAL is replayed in memory. */
  readonly readOnly?: boolean;
  /** `SET` statements that run before the configuration is locked. */
  readonly settings?: readonly string[];
}

/**
 * Opens a database that reaches nothing but itself and `access`. External access is off and the configuration locked for
 * the whole instance, so that neither a view in a foreign file nor a mistake in a query reads or writes elsewhere.
 */
export async function openDatabase(path: string, access: Access): Promise<DuckDBInstance> {
  const { DuckDBInstance: Instance } = await load();
  const instance = await Instance.create(path, {
    ...options,
    ...(access.readOnly === true ? { access_mode: 'READ_ONLY' } : {}),
  });
  try {
    const folders = (access.folders ?? []).flatMap((folder) => spellings(join(folder, '/')));
    const files = (access.files ?? []).flatMap(spellings);
    const connection = await instance.connect();
    try {
      for (const statement of [
        ...(access.settings ?? []),
        ...(folders.length === 0 ? [] : [`SET allowed_directories = [${folders.map(quoteText).join(', ')}]`]),
        ...(files.length === 0 ? [] : [`SET allowed_paths = [${files.map(quoteText).join(', ')}]`]),
        'SET enable_external_access = false',
        'SET lock_configuration = true',
      ])
        await connection.run(statement);
    } finally {
      connection.closeSync();
    }
  } catch (thrown) {
    instance.closeSync();
    throw thrown;
  }
  return instance;
}

/** DuckDB reads `*`, `?` and `[` in a path as a pattern; in brackets each stands for itself. */
const literalPath = (path: string): string => path.replace(/[*?[]/g, '[$&]');
/** A path as it is and as a pattern: DuckDB compares what a query says with what is allowed, letter by letter. */
const spellings = (path: string): string[] => [...new Set([path, literalPath(path)])];

/** Databases in memory, each of which reads the bundles of one folder; the one used longest ago goes first. */
const readers = new Map<string, Promise<DuckDBInstance>>();
const mostReaders = 8;

/** The database in memory that reads Parquet files of the bundles in `folder`, and nothing else. */
export function parquetReader(folder: string): Promise<DuckDBInstance> {
  const root = resolve(folder);
  const known = readers.get(root);
  readers.delete(root);
  const reader = known ?? openDatabase(':memory:', { folders: [root] });
  readers.set(root, reader);
  // A reader that could not be opened is tried again at the next question.
  if (known === undefined) reader.catch(() => readers.delete(root));
  for (const oldest of readers.keys()) {
    if (readers.size <= mostReaders) break;
    // Its connections keep it alive until they are closed.
    readers.delete(oldest);
  }
  return reader;
}

/** The folder of the bundle beside its neighbours; a bundle at the root of a file system stands alone. */
function bundlesFolder(file: string): string {
  const bundle = dirname(file);
  const above = dirname(bundle);
  return dirname(above) === above ? bundle : above;
}

/** A Parquet file of a bundle as a table, read by the database for its runs folder. */
export async function parquetSource(path: string): Promise<RowSource> {
  const file = resolve(path);
  return { instance: await parquetReader(bundlesFolder(file)), from: fromParquet(file) };
}

/** The path of a Parquet file as an argument of a table function. */
export const parquetLiteral = (path: string): string => quoteText(literalPath(path));
/** The SQL after FROM for a Parquet file. */
export const fromParquet = (path: string): string => `read_parquet(${parquetLiteral(path)})`;

export async function duckdbVersion(): Promise<string> {
  return (await load()).version();
}

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The source of rows: a database, and the SQL after FROM. */
export interface RowSource {
  readonly instance: DuckDBInstance;
  readonly from: string;
}

export interface Columns {
  readonly names: readonly string[];
  readonly values: readonly (readonly unknown[])[];
  readonly rows: number;
}

/** Longest stretch of reading values before other work of this process gets its turn. */
const sliceMs = 6;

/**
 * Runs one query on a connection of its own and reads the result in slices. BIGINT comes as bigint: cast in SQL.
 */
export async function query(
  instance: DuckDBInstance,
  sql: string,
  values: readonly DuckDBValue[] = [],
): Promise<Columns> {
  const connection = await instance.connect();
  try {
    return await inFlight(queryOn(connection, sql, values));
  } finally {
    connection.closeSync();
  }
}

const working = new Set<Promise<unknown>>();

/** Counts a question to DuckDB as open until it is answered, see `duckdbIdle`. */
export function inFlight<T>(work: Promise<T>): Promise<T> {
  working.add(work);
  const done = () => void working.delete(work);
  work.then(done, done);
  return work;
}

/**
 * Resolves when no question is open. The process must not end before: DuckDB's threads answer into an environment that is
 * being torn down, and the C++ exception that follows ends in `terminate`.
 */
export async function duckdbIdle(): Promise<void> {
  while (working.size > 0) await Promise.allSettled(working);
}

export async function queryOn(
  connection: DuckDBConnection,
  sql: string,
  values: readonly DuckDBValue[] = [],
): Promise<Columns> {
  const result = await connection.run(sql, [...values]);
  const names = result.columnNames();
  const columns: unknown[][] = names.map(() => []);
  let begin = performance.now();
  for (;;) {
    const chunk = await result.fetchChunk();
    const rows = chunk?.rowCount ?? 0;
    if (chunk === null || rows === 0) break;
    for (let c = 0; c < columns.length; c++) {
      const vector = chunk.getColumnVector(c);
      const column = columns[c] ?? [];
      for (let row = 0; row < rows; row++) column.push(vector.getItem(row));
      if (performance.now() - begin > sliceMs) {
        await new Promise((resolve) => setImmediate(resolve));
        begin = performance.now();
      }
    }
  }
  return { names, values: columns, rows: columns[0]?.length ?? 0 };
}

/** A numeric column; NULL is NaN. */
export function numbers(columns: Columns, name: string): Float64Array {
  const values = columns.values[columns.names.indexOf(name)] ?? [];
  const out = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    out[i] = value === null || value === undefined ? Number.NaN : Number(value);
  }
  return out;
}

export function texts(columns: Columns, name: string): string[] {
  const values = columns.values[columns.names.indexOf(name)] ?? [];
  return values.map((value) => (value === null || value === undefined ? '' : String(value)));
}
