import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api';

/** Loaded at first use: `dyno list` and `--help` do without it. */
const load = () => import('@duckdb/node-api');

export const options = {
  threads: '2',
  memory_limit: '1GB',
  // Nothing is ever downloaded; Parquet is built in.
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
} as const;

export async function openDatabase(path: string): Promise<DuckDBInstance> {
  const { DuckDBInstance: Instance } = await load();
  return Instance.create(path, options);
}

let shared: Promise<DuckDBInstance> | undefined;

/** One database in memory that reads everybody's Parquet files. */
export const parquetReader = (): Promise<DuckDBInstance> => {
  shared ??= openDatabase(':memory:');
  return shared;
};

export async function duckdbVersion(): Promise<string> {
  return (await load()).version();
}

export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Where rows come from: a database and what stands after FROM. */
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
    return await queryOn(connection, sql, values);
  } finally {
    connection.closeSync();
  }
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
