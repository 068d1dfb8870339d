import { absentInt32, type TableName } from '../../../../workloads/run/tables.ts';
import { bundleTable } from '../../store/bundleTable.ts';
import { inFlight } from '../../store/duckdb.ts';
import { readManifest } from '../../store/manifest.ts';
import type { RunTables, TraceRows } from './runTrace.ts';

/** The tables of a finished run bundle, read from its Parquet files a chunk at a time; a table that is not there is empty. */
export const bundleTables = (folder: string): RunTables => ({
  requests: () => rowsOf(folder, 'requests'),
  iterations: () => rowsOf(folder, 'iterations'),
  decisions: () => rowsOf(folder, 'decisions'),
});

/** Rows of one table of a bundle, a chunk at a time; none where it is not there. */
export async function* rowsOf(folder: string, table: TableName): AsyncGenerator<TraceRows> {
  const source = await bundleTable(folder, await readManifest(folder), table);
  if (source === undefined) return;
  const connection = await source.instance.connect();
  try {
    const result = await inFlight(connection.stream(`SELECT * FROM ${source.from}`));
    const names = result.columnNames();
    for (;;) {
      const chunk = await inFlight(result.fetchChunk());
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
