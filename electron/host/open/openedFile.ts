import type { OpenedFile } from '../../contract/protocol.ts';
import { readResultFile } from '../../shared/results/readResultFile.ts';
import { importRun } from '../runs/importRun.ts';
import { whatFile } from './whatFile.ts';

/** Says what a file is; the result of a load generator becomes a run, or several, of the history. Throws InputError. */
export async function openedFile(
  path: string,
  runsFolder: string,
  versions: Readonly<Record<string, string>>,
): Promise<OpenedFile> {
  const found = whatFile(path);
  if (found.kind !== 'result') return { ...found, runs: [] };
  const results = await readResultFile(path);
  const runs: string[] = [];
  for (const result of results) runs.push((await importRun(runsFolder, path, result, versions)).run);
  return { ...found, runs };
}
