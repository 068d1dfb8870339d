import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../../workloads/run/inputError.ts';
import { fileReason } from '../../shared/openFile.ts';
import { writeAtomically } from './atomicFile.ts';

const absolute = z.string().max(4096).startsWith('/', 'expected an absolute path');

/** What a user set for this machine, in `settings.json` of Dyno's home folder: for the window and the command line alike. */
const userSettings = z.strictObject({
  version: z.literal(1),
  /** Executables that are used in the place of those on PATH. */
  tools: z.strictObject({ nsys: absolute.exactOptional(), ncu: absolute.exactOptional() }).default({}),
  /** Where run bundles are written and listed, in the place of `runs` in the home folder. */
  runs_folder: absolute.exactOptional(),
});
export type UserSettings = z.infer<typeof userSettings>;

export const settingsFile = (home: string): string => join(home, 'settings.json');

/** Throws InputError where the file is there and is not what it should be. */
export function readUserSettings(home: string): UserSettings {
  const file = settingsFile(home);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')
      return { version: 1, tools: {} };
    throw new InputError(`${file}: ${fileReason(thrown)}`);
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new InputError(`${file}: it is not JSON; delete it to go back to the defaults`);
  }
  const parsed = userSettings.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InputError(
    `${file}: ${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'malformed'}; delete it to go back to the defaults`,
  );
}

export async function writeUserSettings(home: string, settings: UserSettings): Promise<void> {
  const file = settingsFile(home);
  mkdirSync(dirname(file), { recursive: true });
  await writeAtomically(file, `${JSON.stringify(settings, undefined, 2)}\n`);
}
