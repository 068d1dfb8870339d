import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * The bytes of a regular file of at most so many. A device or a pipe in a bundle would never end. A symbolic link in a bundle
 * leads elsewhere: it is followed only where `isNamed`, the user having named the file.
 */
export async function readBytes(path: string, mostBytes: number, isNamed = false): Promise<Buffer> {
  const noLink = isNamed ? 0 : (constants.O_NOFOLLOW ?? 0);
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | noLink);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error(found.isDirectory() ? 'it is a folder' : 'it is not a regular file');
    if (found.size > mostBytes)
      throw new Error(`it has ${found.size} bytes, at most ${mostBytes} were expected`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** The text of such a file, see `readBytes`. */
export const readText = async (path: string, mostBytes: number, isNamed = false): Promise<string> =>
  (await readBytes(path, mostBytes, isNamed)).toString('utf8');
