import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CaptureInfo } from '../../contract/protocol.ts';
import { captureInfo } from '../../contract/protocol.ts';
import { writeAtomically } from '../store/atomicFile.ts';
import { readText } from '../store/readText.ts';

/** The file with a capture's entry in the list, beside its report. */
export const listName = 'listed.json';
const mostListedBytes = 16 * 1024 * 1024;

export const rememberCapture = (folder: string, info: CaptureInfo): Promise<void> =>
  writeAtomically(join(folder, listName), `${JSON.stringify(info, undefined, 2)}\n`);

/** Captures of earlier sessions, oldest first; a folder that is none, or whose report has gone, is passed over. */
export async function earlierCaptures(capturesFolder: string): Promise<CaptureInfo[]> {
  const names = await readdir(capturesFolder).catch(() => []);
  const found: CaptureInfo[] = [];
  for (const name of names.sort()) {
    const folder = join(capturesFolder, name);
    try {
      const info = captureInfo.parse(JSON.parse(await readText(join(folder, listName), mostListedBytes)));
      if (info.report === undefined || (await stat(info.report)).isFile()) found.push({ ...info, folder });
    } catch {
      // Made by the command line, half written, or moved: the file itself can still be opened.
    }
  }
  return found;
}
