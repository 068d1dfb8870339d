import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CaptureInfo } from '../../contract/protocol.ts';
import { captureInfo } from '../../contract/protocol.ts';
import { writeAtomically } from '../store/atomicFile.ts';

/** What the list says of a capture, beside its report. */
export const listName = 'listed.json';

export const rememberCapture = (folder: string, info: CaptureInfo): Promise<void> =>
  writeAtomically(join(folder, listName), `${JSON.stringify(info, undefined, 2)}\n`);

/** A report that was opened: its entry in the list has a folder, which is not the report's. */
export const isOpenedReport = ({ target, tool }: CaptureInfo): boolean =>
  target === undefined && tool !== 'cupti';

/** Captures of earlier sessions, oldest first; a folder that is none, or whose report has gone, is passed over. */
export async function earlierCaptures(capturesFolder: string): Promise<CaptureInfo[]> {
  const names = await readdir(capturesFolder).catch(() => []);
  const found: CaptureInfo[] = [];
  for (const name of names.sort()) {
    const folder = join(capturesFolder, name);
    try {
      const info = captureInfo.parse(JSON.parse(await readFile(join(folder, listName), 'utf8')));
      if (info.report === undefined || (await stat(info.report)).isFile())
        found.push(isOpenedReport(info) ? info : { ...info, folder });
    } catch {
      // Made by the command line, half written, or moved: the file itself can still be opened.
    }
  }
  return found;
}
