import { join } from 'node:path';
import type { TableName } from '../../../workloads/run/tables.ts';
import { openDatabase, query, quoteText } from '../store/duckdb.ts';
import { knownColumn, sqlType } from '../store/knownTables.ts';
import { readManifest, writeManifest } from '../store/manifest.ts';
import { describeFiles } from '../store/seal.ts';

/** Writes tables of a bundle by hand, as SQL rows; each column gets the type that runs write. */
export async function writeTables(
  folder: string,
  tables: readonly { readonly table: TableName; readonly columns: string; readonly rows: string }[],
): Promise<void> {
  const instance = await openDatabase(':memory:', { folders: [folder] });
  for (const { table, columns, rows } of tables) {
    const typed = columns.split(', ').map((column) => {
      const known = knownColumn(table, column);
      return known === undefined ? column : `${column}::${sqlType[known.type]} AS ${column}`;
    });
    await query(
      instance,
      `COPY (SELECT ${typed.join(', ')} FROM (VALUES ${rows}) AS t(${columns})) TO ${quoteText(join(folder, `${table}.parquet`))} (FORMAT parquet)`,
    );
  }
  instance.closeSync();
}

/** Names the files of a hand-made bundle in its manifest, as sealing does. */
export async function sealByHand(folder: string): Promise<void> {
  const manifest = await readManifest(folder);
  await writeManifest(folder, { ...manifest, files: await describeFiles(folder) });
}
