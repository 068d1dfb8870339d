import { copyFile, lstat, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../../../workloads/run/inputError.ts';
import type { exportFormat } from '../../contract/protocol.ts';
import { fileReason } from '../../shared/openFile.ts';
import { exportRunTrace } from '../captures/trace/exportRunTrace.ts';
import { openDatabase, query, quoteText, type RowSource } from '../store/duckdb.ts';
import { type Manifest, manifestName, summaryName } from '../store/manifest.ts';
import { readSummary } from '../store/runIndex.ts';
import { damageOf, requireWhole } from '../store/verifyFiles.ts';
import { exportResult } from './exportResult.ts';
import { writeZip } from './zipFolder.ts';

export interface ExportRequest {
  readonly format: (typeof exportFormat)['options'][number];
  readonly path: string;
  readonly folder: string;
  readonly manifest: Manifest;
  readonly table: string;
  readonly source: RowSource | undefined;
}

/** Writes a table, the summary or the whole bundle to a path; returns its size. The path is replaced whole or not at all. */
export async function exportRun(request: ExportRequest): Promise<number> {
  const { format, path } = request;
  try {
    const parent = await stat(dirname(path)).catch(() => undefined);
    if (parent?.isDirectory() !== true) throw new InputError(`${path}: there is no folder ${dirname(path)}`);
    if (format === 'bundle') return await exportBundle(request);
    const there = await stat(path).catch(() => undefined);
    if (there?.isDirectory() === true && format !== 'aiperf')
      throw new InputError(`${path}: it is a folder, expected a file name`);
    if (format === 'vllm' || format === 'aiperf' || format === 'mooncake')
      return await exportResult(request.folder, format, path);
    if (format === 'trace') return (await exportRunTrace(request.folder, path)).bytes;
    const temporary = join(dirname(path), `.${basename(path)}.tmp`);
    try {
      if (request.table === 'summary') await writeFile(temporary, await summaryText(request));
      else await copyTable(request, temporary);
      await rename(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    return (await stat(path)).size;
  } catch (thrown) {
    if (thrown instanceof InputError) throw thrown;
    if (thrown instanceof Error && 'code' in thrown) throw new InputError(`${path}: ${fileReason(thrown)}`);
    throw thrown;
  }
}

const copyOptions = {
  csv: 'FORMAT csv, HEADER',
  json: 'FORMAT json, ARRAY true',
  parquet: 'FORMAT parquet, COMPRESSION zstd',
} as const;

async function copyTable({ format, table, source, folder }: ExportRequest, path: string): Promise<void> {
  if (format !== 'csv' && format !== 'json' && format !== 'parquet') return;
  if (source === undefined)
    throw new InputError(`${basename(folder)} holds no table "${table}", expected one that was recorded`);
  // A database of its own: the one that reads bundles writes nowhere.
  const instance = await openDatabase(':memory:', { folders: [folder], files: [path] });
  try {
    await query(
      instance,
      `COPY (SELECT * FROM ${source.from}) TO ${quoteText(path)} (${copyOptions[format]})`,
    );
  } finally {
    instance.closeSync();
  }
}

async function summaryText({ format, manifest, folder }: ExportRequest): Promise<string> {
  if (manifest.files[summaryName] !== undefined) await requireWhole(folder, manifest, summaryName);
  const summary = await readSummary(folder);
  if (summary === undefined) throw new InputError(`${basename(folder)} has no summary`);
  if (format === 'json') return `${JSON.stringify(summary, undefined, 2)}\n`;
  if (format !== 'csv') throw new InputError(`the summary goes out as csv or json, not as ${format}`);
  return csvOf(summary);
}

/** One line per figure: `ttft_ms.p50,123.4`. */
export function csvOf(summary: object): string {
  const lines = ['metric,value'];
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [key, child] of Object.entries(value)) walk(child, path === '' ? key : `${path}.${key}`);
    } else {
      const text = String(value);
      lines.push(`${path},${/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text}`);
    }
  };
  walk(summary, '');
  return `${lines.join('\n')}\n`;
}

/** The manifest and the files that it names, each what was sealed; nothing else that lies in the folder. */
async function exportBundle({ folder, manifest, path }: ExportRequest): Promise<number> {
  const [damage] = await damageOf(folder, manifest);
  if (damage !== undefined) throw new InputError(damage.reason);
  const names = [manifestName, ...Object.keys(manifest.files)].filter((name) => name === basename(name));
  if (path.endsWith('.zip')) return writeZip(folder, names, path);
  if ((await stat(path).catch(() => undefined)) !== undefined)
    throw new InputError(`${path}: it is already there, expected a new folder name or a .zip`);
  const aside = `${path}.${process.pid}.part`;
  try {
    await mkdir(aside);
    let bytes = 0;
    for (const name of names) {
      await copyRegular(join(folder, name), join(aside, name));
      bytes += (await stat(join(aside, name))).size;
    }
    await rename(aside, path);
    return bytes;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Copies a file; a symbolic link is an error, not what it leads to. */
async function copyRegular(from: string, to: string): Promise<void> {
  if (!(await lstat(from)).isFile()) throw new InputError(`${from}: it is not a regular file`);
  await copyFile(from, to);
}
