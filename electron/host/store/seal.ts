import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from './atomicFile.ts';
import { parquetLiteral, parquetSource, query } from './duckdb.ts';
import { isTableName } from './knownTables.ts';
import { type Manifest, summaryName, writeManifest } from './manifest.ts';
import { sha256 } from './verifyFiles.ts';

export const summaryText = (summary: object): string => `${JSON.stringify(summary, undefined, 2)}\n`;

/** Files that belong to a finished bundle, apart from its manifest. */
export const isContent = (name: string): boolean =>
  name === summaryName || (name.endsWith('.parquet') && isTableName(name.slice(0, -'.parquet'.length)));

async function parquetRows(path: string): Promise<number> {
  const { instance } = await parquetSource(path);
  const found = await query(
    instance,
    `SELECT num_rows::DOUBLE AS n FROM parquet_file_metadata(${parquetLiteral(path)})`,
  );
  return Number(found.values[0]?.[0] ?? 0);
}

/** Size, rows and checksum of each regular file of the bundle that `takes` wants. */
export async function describeFiles(
  folder: string,
  takes: (name: string) => boolean = () => true,
): Promise<Manifest['files']> {
  const files: Manifest['files'] = {};
  for (const name of (await readdir(folder)).sort()) {
    if (!isContent(name) || !takes(name)) continue;
    const path = join(folder, name);
    const found = await lstat(path);
    if (!found.isFile()) continue;
    files[name] = {
      sha256: await sha256(path),
      bytes: found.size,
      ...(name.endsWith('.parquet') ? { rows: await parquetRows(path) } : {}),
    };
  }
  return files;
}

/** Writes the final manifest, and the summary where it is not there yet; after it the bundle is complete. */
export async function sealBundle(
  folder: string,
  manifest: Manifest,
  summary: object | undefined,
): Promise<Manifest> {
  if (summary !== undefined) await writeAtomically(join(folder, summaryName), summaryText(summary));
  const { sealing: _, ...rest } = manifest;
  const sealed: Manifest = { ...rest, files: await describeFiles(folder) };
  await writeManifest(folder, sealed);
  return sealed;
}
