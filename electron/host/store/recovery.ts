import { existsSync } from 'node:fs';
import { readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { unlockBundle, writerOf } from './bundleLock.ts';
import { exportTables, liveName, removeDatabase } from './bundleWriter.ts';
import { openDatabase, parquetReader, quoteText } from './duckdb.ts';
import { isServing, type Manifest, readManifest, summaryName } from './manifest.ts';
import { rebuildSummary } from './rebuiltSummary.ts';
import { isRunId } from './runsFolder.ts';
import { sealBundle } from './seal.ts';

export interface Recovered {
  readonly run: string;
  readonly outcome: 'recovered' | 'cleaned' | 'failed';
  readonly reason?: string;
}

const isOpen = (manifest: Manifest): boolean => manifest.status === 'running';

/** Whether a host died while it wrote this bundle. */
export const isLeftBehind = (folder: string, manifest: Manifest): boolean =>
  (isOpen(manifest) || existsSync(join(folder, liveName))) && writerOf(folder) === undefined;

/** Brings what dead hosts left into the order of a finished bundle; live ones are left alone. Never throws. */
export async function recoverRuns(runs: string): Promise<Recovered[]> {
  const names = await readdir(runs).catch(() => []);
  const outcomes: Recovered[] = [];
  for (const name of names.sort()) {
    if (!isRunId(name)) continue;
    const folder = join(runs, name);
    const manifest = await readManifest(folder).catch(() => undefined);
    if (manifest === undefined || !isLeftBehind(folder, manifest)) continue;
    outcomes.push(await recoverBundle(folder, manifest, 'the host ended while the run went on'));
  }
  return outcomes;
}

/** Exports what was committed, rebuilds the summary from the request rows, and marks the run as interrupted. */
export async function recoverBundle(folder: string, manifest: Manifest, why: string): Promise<Recovered> {
  const { run } = manifest;
  try {
    if (!isOpen(manifest) && Object.keys(manifest.files).length > 0) {
      // Everything was exported; only the clearing up was missing.
      removeDatabase(folder);
      unlockBundle(folder);
      return { run, outcome: 'cleaned' };
    }
    let damage: string | undefined;
    if (existsSync(join(folder, liveName))) {
      try {
        const instance = await openDatabase(join(folder, liveName));
        try {
          const connection = await instance.connect();
          await exportTables(connection, folder);
          connection.closeSync();
        } finally {
          instance.closeSync();
        }
      } catch (thrown) {
        damage = thrown instanceof Error ? thrown.message : String(thrown);
        await rename(join(folder, liveName), join(folder, `${liveName}.unreadable`));
      }
    }
    for (const name of await readdir(folder)) {
      if (name.endsWith('.tmp') || name === 'spec.json')
        await unlink(join(folder, name)).catch(() => undefined);
    }
    await sealBundle(
      folder,
      {
        ...manifest,
        status: isOpen(manifest) ? 'interrupted' : manifest.status,
        error: manifest.error ?? {
          code: 'failed',
          message:
            damage === undefined
              ? `interrupted: ${why}`
              : `interrupted: ${why}; its database could not be read (${damage})`,
        },
      },
      await summaryOf(folder, manifest),
    );
    removeDatabase(folder);
    unlockBundle(folder);
    return { run, outcome: 'recovered', ...(damage === undefined ? {} : { reason: damage }) };
  } catch (thrown) {
    return { run, outcome: 'failed', reason: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

/** A summary for a bundle whose engine gave none. */
export async function summaryOf(folder: string, manifest: Manifest): Promise<object | undefined> {
  const requests = join(folder, 'requests.parquet');
  if (!isServing(manifest) || existsSync(join(folder, summaryName)) || !existsSync(requests))
    return undefined;
  return rebuildSummary(manifest.spec, {
    instance: await parquetReader(),
    from: `read_parquet(${quoteText(requests)})`,
  });
}
