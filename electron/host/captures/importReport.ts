import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { delimiterOf } from '../../../workloads/traffic/csvRows.ts';
import { unpackedHeadOf } from '../../shared/openFile.ts';
import { isBundle, readBundleReport } from './bundle/bundleReport.ts';
import { badFile, CaptureError } from './captureError.ts';
import { importChromeTrace } from './chrome/chromeImport.ts';
import { captureEnvironment } from './environment.ts';
import { type ImportLimits, importLimits } from './importBudget.ts';
import { runTool } from './job/runTool.ts';
import { importNcuCsv } from './ncu/ncuCsv.ts';
import type { NcuReport } from './ncu/ncuReport.ts';
import { readNcuReport } from './ncu/ncuReportFile.ts';
import { ncuCsvCommand } from './ncuArguments.ts';
import { importNsysSqlite } from './nsys/nsysImport.ts';
import type { NsysReport } from './nsys/nsysReport.ts';
import { scrubEnvironment } from './nsys/scrubEnvironment.ts';
import { importStatsTrace, statsTraceKind } from './nsys/statsTrace.ts';
import { nsysExportCommand } from './nsysArguments.ts';
import { findTool } from './tools.ts';

/**
 * Any file that a person drops or names: `.nsys-rep` (through `nsys export`), its `.sqlite`, `.ncu-rep` (through `ncu`,
 * or read here where ncu is absent), its `.csv`, or the folder of a run that recorded its own kernels. The report stays the original; what a tool makes of it is a cache.
 */
export type ImportedReport =
  | { readonly kind: 'nsys'; readonly file: string; readonly sqlite: string; readonly report: NsysReport }
  | {
      readonly kind: 'ncu';
      readonly file: string;
      readonly readBy: 'ncu' | 'dyno';
      readonly report: NcuReport;
    };

export interface ImportOptions {
  /** Where caches go. */
  readonly cacheFolder: string;
  readonly nsys?: string;
  readonly ncu?: string;
  readonly limits?: ImportLimits;
  readonly signal?: AbortSignal;
}

export async function importReport(file: string, options: ImportOptions): Promise<ImportedReport> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) throw badFile(file, 'is not there');
  if (found.isDirectory() && isBundle(file))
    return { kind: 'nsys', file, sqlite: file, report: await readBundleReport(file) };
  if (!found.isFile()) throw badFile(file, 'is not a file');
  if (found.size === 0) throw badFile(file, 'is empty');
  const how = {
    limits: options.limits ?? importLimits,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  switch (extname(file).toLowerCase()) {
    case '.nsys-rep':
    case '.qdrep': {
      const sqlite = await exportNsys(file, options);
      return { kind: 'nsys', file, sqlite, report: await importNsysSqlite(sqlite, how) };
    }
    case '.sqlite':
      return { kind: 'nsys', file, sqlite: file, report: await importNsysSqlite(file, how) };
    case '.ncu-rep':
      return importNcuFile(file, options, how);
    case '.csv':
    case '.tsv':
    case '.txt':
      if (isStatsTrace(file))
        return { kind: 'nsys', file, sqlite: file, report: await importStatsTrace(file, how) };
      return { kind: 'ncu', file, readBy: 'dyno', report: await importNcuCsv(file, how) };
    case '.json':
      return { kind: 'nsys', file, sqlite: file, report: await importChromeTrace(file, how) };
    case '.gz':
    case '.zst':
      return /\.json\.(gz|zst)$/i.test(file)
        ? { kind: 'nsys', file, sqlite: file, report: await importChromeTrace(file, how) }
        : { kind: 'ncu', file, readBy: 'dyno', report: await importNcuCsv(file, how) };
    case '.qdstrm':
      throw badFile(
        file,
        'is an unfinished recording',
        'turn it into a report with the QdstrmImporter of Nsight Systems, then open that',
      );
    default:
      throw badFile(
        file,
        'is not a kind of report',
        'expected .nsys-rep, .sqlite, .ncu-rep, .csv, or a trace in .json or .json.gz',
      );
  }
}

/** A table of events of nsys stats stands among the first lines. */
function isStatsTrace(file: string): boolean {
  const head = new TextDecoder().decode(unpackedHeadOf(file, 64 * 1024));
  return head
    .split(/\r?\n/)
    .some((line) => statsTraceKind(line.split(delimiterOf(line)).map(unquoted)) !== undefined);
}

const unquoted = (field: string): string => field.trim().replace(/^"(.*)"$/, '$1');

/** Another file, or the same one written anew, gets another name. */
async function cacheName(file: string): Promise<string> {
  const { size, mtimeMs } = await stat(file);
  const key = createHash('sha256')
    .update(`${resolve(file)}\n${size}\n${mtimeMs}`)
    .digest('hex');
  return `${basename(file, extname(file)).slice(0, 80)}-${key.slice(0, 12)}`;
}

/** The SQLite export beside other caches, scrubbed of environments. Written under another name first. */
async function exportNsys(file: string, options: ImportOptions): Promise<string> {
  const { path } = await findTool('nsys', options.nsys === undefined ? {} : { setting: options.nsys });
  await mkdir(options.cacheFolder, { recursive: true });
  const target = join(options.cacheFolder, `${await cacheName(file)}.sqlite`);
  if ((await stat(target).catch(() => undefined)) !== undefined) return target;
  const partial = `${target}.${process.pid}.partial`;
  try {
    await runTool(nsysExportCommand(path, file, partial), {
      environment: captureEnvironment(process.env),
      limitMs: (options.limits ?? importLimits).milliseconds,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if ((await stat(partial).catch(() => undefined)) === undefined)
      throw badFile(file, 'nsys export wrote nothing; the report is damaged');
    await scrubEnvironment(partial);
    await rename(partial, target);
    return target;
  } catch (error) {
    await rm(partial, { force: true });
    if (error instanceof CaptureError && error.code === 'failed') {
      throw new CaptureError('bad_input', `${file}: nsys could not read it: ${error.message}`, {
        hint: 'a report must be opened by the same or a newer version of nsys than the one that wrote it',
        ...(error.detail === undefined ? {} : { detail: error.detail }),
      });
    }
    throw error;
  }
}

async function importNcuFile(
  file: string,
  options: ImportOptions,
  how: { readonly limits: ImportLimits; readonly signal?: AbortSignal },
): Promise<ImportedReport> {
  const tool = await findTool('ncu', options.ncu === undefined ? {} : { setting: options.ncu }).catch(
    () => undefined,
  );
  if (tool === undefined)
    return { kind: 'ncu', file, readBy: 'dyno', report: await readNcuReport(file, how) };
  await mkdir(options.cacheFolder, { recursive: true });
  const csv = join(options.cacheFolder, `${await cacheName(file)}.csv`);
  const out = createWriteStream(csv);
  try {
    await runTool(ncuCsvCommand(tool.path, file), {
      environment: captureEnvironment(process.env),
      limitMs: how.limits.milliseconds,
      ...(how.signal === undefined ? {} : { signal: how.signal }),
      onOutput: (chunk) => {
        if (out.write(chunk)) return undefined;
        return new Promise<void>((resolve) => out.once('drain', resolve));
      },
    });
    out.end();
    await finished(out);
    return { kind: 'ncu', file, readBy: 'ncu', report: await importNcuCsv(csv, how) };
  } catch (error) {
    out.destroy();
    await rm(csv, { force: true });
    if (error instanceof CaptureError && error.code === 'cancelled') throw error;
    // An ncu older than the report cannot read it; this reader may.
    return { kind: 'ncu', file, readBy: 'dyno', report: await readNcuReport(file, how) };
  }
}
