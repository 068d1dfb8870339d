import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from './atomicFile.ts';
import { parquetReader, query, quoteText } from './duckdb.ts';
import { type Manifest, summaryName, writeManifest } from './manifest.ts';

export const summaryText = (summary: object): string => `${JSON.stringify(summary, undefined, 2)}\n`;

/** Files that belong to a finished bundle, apart from its manifest. */
const isContent = (name: string): boolean => name === summaryName || name.endsWith('.parquet');

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }))
    hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function parquetRows(path: string): Promise<number> {
  const found = await query(
    await parquetReader(),
    `SELECT num_rows::DOUBLE AS n FROM parquet_file_metadata(${quoteText(path)})`,
  );
  return Number(found.values[0]?.[0] ?? 0);
}

/** Size, rows and checksum of each file of the bundle. */
export async function describeFiles(folder: string): Promise<Manifest['files']> {
  const files: Manifest['files'] = {};
  for (const name of (await readdir(folder)).sort()) {
    if (!isContent(name)) continue;
    const path = join(folder, name);
    files[name] = {
      sha256: await sha256(path),
      bytes: (await stat(path)).size,
      ...(name.endsWith('.parquet') ? { rows: await parquetRows(path) } : {}),
    };
  }
  return files;
}

/** Writes summary and final manifest; after it the bundle is complete. */
export async function sealBundle(
  folder: string,
  manifest: Manifest,
  summary: object | undefined,
): Promise<Manifest> {
  if (summary !== undefined) await writeAtomically(join(folder, summaryName), summaryText(summary));
  const sealed: Manifest = { ...manifest, files: await describeFiles(folder) };
  await writeManifest(folder, sealed);
  return sealed;
}
