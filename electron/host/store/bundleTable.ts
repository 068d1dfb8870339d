import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { TableName } from '../../../workloads/run/tables.ts';
import { fromParquet, parquetSource, query, quoteName, type RowSource, texts } from './duckdb.ts';
import { readableColumns } from './knownTables.ts';
import type { Manifest } from './manifest.ts';
import { requireWhole } from './verifyFiles.ts';

/** What stands after FROM for a checked file, by path; kept while the file stays the same. */
const checked = new Map<string, { readonly stamp: string; readonly from: Promise<string> }>();
const mostChecked = 1000;

/**
 * A table of a finished bundle: its file is the one that was sealed (SHA-256), and of its columns only those are read that
 * Dyno knows. Undefined where the bundle has no such table; throws InputError with one line that names the file.
 */
export async function bundleTable(
  folder: string,
  manifest: Manifest,
  table: TableName,
): Promise<RowSource | undefined> {
  const file = `${table}.parquet`;
  const path = join(folder, file);
  if (!existsSync(path) && manifest.files[file] === undefined) return undefined;
  await requireWhole(folder, manifest, file);
  const { instance } = await parquetSource(path);
  const { mtimeMs, ctimeMs, size } = statSync(path);
  const stamp = `${mtimeMs}/${ctimeMs}/${size}`;
  const before = checked.get(path);
  if (before?.stamp === stamp) return { instance, from: await before.from };
  const from = columnsOf({ instance, from: fromParquet(path) }, table, path);
  checked.set(path, { stamp, from });
  from.catch(() => checked.delete(path));
  for (const oldest of checked.keys()) {
    if (checked.size <= mostChecked) break;
    checked.delete(oldest);
  }
  return { instance, from: await from };
}

async function columnsOf(source: RowSource, table: TableName, path: string): Promise<string> {
  try {
    const found = await query(source.instance, `DESCRIBE SELECT * FROM ${source.from}`);
    const types = texts(found, 'column_type');
    const columns = texts(found, 'column_name').map((name, i) => ({ name, type: types[i] ?? '' }));
    const chosen = readableColumns(table, columns).map(({ name }) => quoteName(name));
    return chosen.length === columns.length
      ? source.from
      : `(SELECT ${chosen.join(', ')} FROM ${source.from})`;
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message.split('\n')[0] : String(thrown);
    throw new InputError(`${path}: not readable as the table ${table} of a run: ${reason}`);
  }
}
