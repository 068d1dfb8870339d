// Where things are. Everything the scripts make lies in folders that git ignores.
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const out = join(root, 'out');
/** What set-up remembers about this tree. */
export const stamps = join(root, '.cache');

/** Shared by all trees of this user: the Electron runtimes. */
export function userCache() {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(base, 'dyno');
}
