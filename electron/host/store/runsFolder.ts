import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { InputError } from '../../../workloads/run/inputError.ts';
import { readUserSettings, settingsFile } from './userSettings.ts';

interface Home {
  readonly folder: string;
  /** What named it. */
  readonly from: string;
}

function homeOf(environment: NodeJS.ProcessEnv): Home {
  const own = environment['DYNO_HOME'];
  if (own !== undefined && own !== '') return { folder: resolve(own), from: 'DYNO_HOME' };
  const xdg = environment['XDG_DATA_HOME'];
  const data = xdg?.startsWith('/') === true ? xdg : join(homedir(), '.local', 'share');
  return { folder: join(data, 'dyno'), from: xdg === undefined ? 'HOME' : 'XDG_DATA_HOME' };
}

/** Dyno's own folder: DYNO_HOME, or `dyno` in the XDG data folder or ~/.local/share. */
export const homeFolder = (environment: NodeJS.ProcessEnv = process.env): string =>
  homeOf(environment).folder;

/** Where run bundles live: as the settings say, else `runs` in the home folder. Throws InputError where it cannot be used. */
export function runsFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { folder, from } = homeOf(environment);
  // The home itself first: its name may be what is wrong.
  const usual = usable(join(folder, 'runs'), from);
  const { runs_folder: chosen } = readUserSettings(folder);
  return chosen === undefined ? usual : usable(chosen, settingsFile(folder));
}

/** DuckDB takes what follows a question mark in the path of a database for options, and would put its journal elsewhere. */
export function usable(folder: string, from: string): string {
  if (!/[?\0]/.test(folder)) return folder;
  throw new InputError(`${from}: ${folder}: a question mark in the path of the runs folder, expected none`);
}

const letters = 'abcdefghjkmnpqrstuvwxyz23456789';

/** A folder name that sorts by time: `20261121-094637-123-baseline-x7k2`. */
export function newRunId(variant: string, now = new Date()): string {
  const time = now.toISOString().replace(/[-:Z]/g, '').replace('T', '-').replace('.', '-');
  const end = Array.from({ length: 4 }, () => letters[Math.floor(Math.random() * letters.length)]).join('');
  const word = variant
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '_')
    .slice(0, 40);
  return `${time}-${word}-${end}`;
}

/** Run ids come from outside: one plain folder name, nothing that climbs. */
export const isRunId = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(text);
