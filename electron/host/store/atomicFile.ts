import { open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

let copies = 0;

/** Writes next to the file, makes it durable, then renames: readers see the old file or the new one, never half of it. */
export async function writeAtomically(path: string, content: string | Uint8Array): Promise<void> {
  // Two processes may write the same file: each has its own copy, and the later rename wins.
  const temporary = `${path}.${process.pid}-${++copies}.tmp`;
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (thrown) {
    // It may not have come to be; what went wrong is thrown.
    await unlink(temporary).catch(() => undefined);
    throw thrown;
  }
  await syncFolder(dirname(path));
}

/** A rename is durable once its folder is. */
export async function syncFolder(path: string): Promise<void> {
  // Some file systems refuse to open or sync a folder: the rename itself is done.
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
