import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { absentInt32 } from '../../../../workloads/run/tables.ts';
import { parquetReader, quoteText } from '../../store/duckdb.ts';
import type { RunTables, TraceRows } from './runTrace.ts';

/** The tables of a finished run bundle, read from its Parquet files a chunk at a time; a table that is not there is empty. */
export const bundleTables = (folder: string): RunTables => ({
  requests: () => rowsOf(join(folder, 'requests.parquet')),
  iterations: () => rowsOf(join(folder, 'iterations.parquet')),
  decisions: () => rowsOf(join(folder, 'decisions.parquet')),
});

/** Rows of one Parquet file, a chunk at a time; none where it is not there. */
export async function* rowsOf(path: string): AsyncGenerator<TraceRows> {
  if (!existsSync(path)) return;
  const connection = await (await parquetReader()).connect();
  try {
    const result = await connection.stream(`SELECT * FROM read_parquet(${quoteText(path)})`);
    const names = result.columnNames();
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) return;
      const rows = chunk.rowCount;
      const column = (name: string): unknown[] | undefined => {
        const at = names.indexOf(name);
        if (at < 0) return undefined;
        const vector = chunk.getColumnVector(at);
        return Array.from({ length: rows }, (_, row) => vector.getItem(row));
      };
      // Each column is asked for many times, row by row: decoded once.
      const numbers = new Map<string, Float64Array | undefined>();
      const texts = new Map<string, string[] | undefined>();
      yield {
        rows,
        numbers: (name) => {
          if (!numbers.has(name)) numbers.set(name, toNumbers(column(name)));
          return numbers.get(name);
        },
        texts: (name) => {
          if (!texts.has(name))
            texts.set(
              name,
              column(name)?.map((value) => (typeof value === 'string' ? value : '')),
            );
          return texts.get(name);
        },
      };
    }
  } finally {
    connection.closeSync();
  }
}

const toNumbers = (values: readonly unknown[] | undefined): Float64Array | undefined =>
  values === undefined
    ? undefined
    : Float64Array.from(values, (value) => {
        const number = value === null || value === undefined ? Number.NaN : Number(value);
        return number === absentInt32 ? Number.NaN : number;
      });
