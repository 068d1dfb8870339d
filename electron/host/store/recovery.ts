import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { matchKind } from '../../shared/kinds/runKind.ts';
import { fileReason } from '../../shared/openFile.ts';
import { writeAtomically } from './atomicFile.ts';
import { unlockBundle, writerOf } from './bundleLock.ts';
import { exportTables, liveName, removeDatabase } from './bundleWriter.ts';
import { openDatabase, parquetSource, quoteText } from './duckdb.ts';
import { type Manifest, readManifest, summaryName, writeManifest } from './manifest.ts';
import { rebuildSummary } from './rebuiltSummary.ts';
import { isLockConflict, underRecoveryLock } from './recoveryLock.ts';
import { readSummary } from './runIndex.ts';
import { describeFiles, isContent, summaryText } from './seal.ts';
import { damageOf } from './verifyFiles.ts';

export interface Recovered {
  readonly run: string;
  /** `settled`: another process had already recovered it. `busy`: another process is recovering it, or still writes it. `failed`: nothing was changed. */
  readonly outcome: 'recovered' | 'cleaned' | 'settled' | 'busy' | 'failed';
  readonly reason?: string;
}

const workName = '.recovering';
export const leftBehindReason = 'the host ended while the run went on';

const isOpen = (manifest: Manifest): boolean => manifest.status === 'running';

/** Whether a host died while it wrote this bundle. */
export const isLeftBehind = (folder: string, manifest: Manifest): boolean =>
  (isOpen(manifest) || existsSync(join(folder, liveName))) && writerOf(folder) === undefined;

const underWay = new Map<string, Promise<Recovered>>();

/**
 * Brings a bundle whose host died into the order of a finished one. Once at a time per bundle, in this process and between
 * processes; a caller that asks meanwhile gets the same answer. Never throws.
 *
 *   live.duckdb ──read only──► .recovering/*.parquet, summary.json ──renamed one by one──► manifest.json ──► live.duckdb goes
 *
 * Until the manifest names the new files, the database stays as it is: a full disk, too few descriptors, a lock or another
 * kill on the way leaves everything for the next attempt.
 */
export function recoverBundle(folder: string, why = leftBehindReason): Promise<Recovered> {
  const key = resolve(folder);
  const known = underWay.get(key);
  if (known !== undefined) return known;
  const run = key.slice(dirname(key).length + 1);
  const work = underRecoveryLock(dirname(key), () => recoverAlone(key, run, why))
    .then((outcome): Recovered => outcome ?? { run, outcome: 'busy' })
    .catch((thrown: unknown): Recovered => ({ run, outcome: 'failed', reason: fileReason(thrown) }))
    .finally(() => underWay.delete(key));
  underWay.set(key, work);
  return work;
}

/** Brings these bundles into order, one after another. */
export async function recoverRuns(folders: readonly string[]): Promise<Recovered[]> {
  const outcomes: Recovered[] = [];
  for (const folder of folders) {
    const recovered = await recoverBundle(folder);
    if (recovered.outcome !== 'settled' && recovered.outcome !== 'busy') outcomes.push(recovered);
  }
  return outcomes;
}

async function recoverAlone(folder: string, run: string, why: string): Promise<Recovered> {
  // What was seen before the lock may have changed: another process may have been here.
  const manifest = await readManifest(folder).catch(() => undefined);
  if (manifest === undefined || !isLeftBehind(folder, manifest)) return { run, outcome: 'settled' };
  const isSealed = !isOpen(manifest) && Object.keys(manifest.files).length > 0;
  if (isSealed && (await damageOf(folder, manifest)).length === 0) {
    // Everything was exported and is whole; only the clearing up was missing.
    await clearUp(folder);
    return { run, outcome: 'cleaned' };
  }
  const work = join(folder, workName);
  await rm(work, { recursive: true, force: true });
  try {
    await mkdir(work);
    const damage = await exportInto(work, folder);
    if (damage === 'busy') return { run, outcome: 'busy' };
    await finish(folder, work, manifest, why, damage);
    return { run, outcome: 'recovered', ...(damage === undefined ? {} : { reason: damage }) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Writes the tables of the database into `work`; returns why it cannot be read, where the database itself is damaged. */
async function exportInto(work: string, folder: string): Promise<string | undefined> {
  const live = join(folder, liveName);
  if (!existsSync(live)) return undefined;
  try {
    const instance = await openDatabase(live, {
      readOnly: true,
      folders: [work],
      settings: [`SET temp_directory = ${quoteText(join(work, 'spill'))}`],
    });
    try {
      const connection = await instance.connect();
      try {
        await exportTables(connection, work);
      } finally {
        connection.closeSync();
      }
    } finally {
      instance.closeSync();
    }
    return undefined;
  } catch (thrown) {
    if (isLockConflict(thrown)) return 'busy';
    if (!isDamage(thrown)) throw thrown;
    return fileReason(thrown).split('\n')[0] ?? '';
  }
}

/**
 * Whether DuckDB says that the file itself is broken. Anything else (no space, no descriptors, no memory, no permission, a
 * reason not known here) may be gone at the next attempt.
 */
const isDamage = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  /not a valid DuckDB|corrupt|checksum|Serialization Error|replaying WAL|older version|newer version|storage version/i.test(
    thrown.message,
  ) &&
  !/no space|too many open files|out of memory|could not allocate|permission/i.test(thrown.message);

async function finish(
  folder: string,
  work: string,
  manifest: Manifest,
  why: string,
  damage: string | undefined,
): Promise<void> {
  const summary = await summaryOf(folder, work, manifest);
  if (summary !== undefined) await writeAtomically(join(work, summaryName), summaryText(summary));
  // The outcome is known where the run had ended and the host died while it sealed the bundle.
  const { sealing, ...rest } = manifest;
  const isWhole = damage === undefined && sealing !== undefined;
  const interrupted: Pick<Manifest, 'status' | 'error'> = {
    status: isOpen(manifest) ? 'interrupted' : manifest.status,
    error: manifest.error ?? {
      code: 'failed',
      message: `interrupted: ${why}${damage === undefined ? '' : `; its database could not be read (${damage})`}`,
    },
  };
  const names = (await readdir(work)).filter(isContent);
  for (const name of names) await makeDurable(join(work, name));
  const made = await describeFiles(work);
  const kept = await describeFiles(folder, (name) => !names.includes(name));
  for (const name of names) await rename(join(work, name), join(folder, name));
  await writeManifest(folder, {
    ...rest,
    ...(isWhole ? sealing : interrupted),
    files: { ...kept, ...made },
  });
  if (damage !== undefined) await rename(join(folder, liveName), join(folder, `${liveName}.unreadable`));
  await clearUp(folder);
}

async function clearUp(folder: string): Promise<void> {
  removeDatabase(folder);
  for (const name of await readdir(folder))
    if (name.endsWith('.tmp') || name === 'spec.json') await rm(join(folder, name), { force: true });
  unlockBundle(folder);
}

async function makeDurable(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The engine's summary where it was written, else one made from the request rows in `tables`; undefined where neither is there. */
export async function summaryOf(
  folder: string,
  tables: string,
  manifest: Manifest,
): Promise<object | undefined> {
  const written = await readSummary(folder);
  if (written !== undefined) return written;
  const requests = [join(tables, 'requests.parquet'), join(folder, 'requests.parquet')].find(existsSync);
  if (requests === undefined) return undefined;
  return matchKind<Promise<object | undefined>>(manifest.spec, {
    serving: async (spec) => rebuildSummary(spec, await parquetSource(requests)),
    kernels: async () => undefined,
  });
}
