import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** The text of a regular file of at most so many bytes. A device or a pipe in a bundle would never end; a link leads elsewhere. */
export async function readText(path: string, mostBytes: number): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | (constants.O_NOFOLLOW ?? 0));
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error('it is not a regular file');
    if (found.size > mostBytes)
      throw new Error(`it has ${found.size} bytes, at most ${mostBytes} were expected`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
