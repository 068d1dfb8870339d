import { existsSync } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBInstance } from '@duckdb/node-api';
import { openDatabase } from './duckdb.ts';

/**
 * One recovery at a time per runs folder, whichever process it happens in. The lock is the one that DuckDB's library takes
 * on a database file (fcntl): the operating system releases it when its process ends, however it ends.
 *
 *   runs/.recovery.lock     an empty database; it stays, since removing it would let two processes lock two files
 */
const lockName = '.recovery.lock';
const retryMs = 100;

/** Within this process: the system's lock does not tell two holders of one process apart. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs `work` while this process alone recovers in `runs`. Undefined where another process held the lock for the whole of
 * `patienceMs`; throws where the lock cannot be taken at all, e.g. in a read-only folder.
 */
export function underRecoveryLock<T>(
  runs: string,
  work: () => Promise<T>,
  patienceMs = 10_000,
): Promise<T | undefined> {
  const turn = last.then(async () => {
    const lock = await take(join(runs, lockName), performance.now() + patienceMs);
    if (lock === undefined) return undefined;
    try {
      return await work();
    } finally {
      lock.closeSync();
    }
  });
  // The next one waits for the end of this one, whatever it was.
  last = turn.catch(() => undefined);
  return turn;
}

async function take(path: string, until: number): Promise<DuckDBInstance | undefined> {
  if (!existsSync(path)) await makeLock(path);
  for (;;) {
    try {
      return await openDatabase(path, {});
    } catch (thrown) {
      if (!isLockConflict(thrown)) throw thrown;
      if (performance.now() >= until) return undefined;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

/** Made aside and linked into place: after a full disk there is a whole lock file or none. */
async function makeLock(path: string): Promise<void> {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    (await openDatabase(aside, {})).closeSync();
    await link(aside, path);
  } catch (thrown) {
    // Another process was faster: its file is as good.
    if (!existsSync(path)) throw thrown;
  } finally {
    for (const end of ['', '.wal']) await rm(aside + end, { force: true });
  }
}

/** Whether another process has this database open. */
export const isLockConflict = (thrown: unknown): boolean =>
  thrown instanceof Error && /Conflicting lock is held|Could not set lock on file/.test(thrown.message);
