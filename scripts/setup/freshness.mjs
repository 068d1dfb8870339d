// A stamp is one hash over the path, size and time of every source. It stands in a file beside what was made from
// them: the same stamp means that there is nothing to do. A few milliseconds for a thousand files.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../project.mjs';

const ignoredFolders = new Set(['node_modules', 'build', 'fixtures', 'golden']);
const isTest = /\.test\.[a-z]+$/;

/**
 * @param {readonly string[]} paths files and folders, relative to the project root; absent ones count as empty
 * @param {(name: string) => boolean} [wanted] which files count, by name
 */
export function stampOf(paths, wanted = (name) => !isTest.test(name) && !name.endsWith('.md')) {
  const hash = createHash('sha1');
  for (const path of paths) addTo(hash, path, wanted);
  return hash.digest('hex');
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} path
 * @param {(name: string) => boolean} wanted
 */
function addTo(hash, path, wanted) {
  const status = statSync(join(root, path), { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isDirectory()) {
    hash.update(`${path}\0${status.size}\0${status.mtimeMs}\n`);
    return;
  }
  const entries = readdirSync(join(root, path), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = `${path}/${entry.name}`;
    if (entry.isDirectory() ? !ignoredFolders.has(entry.name) : wanted(entry.name))
      addTo(hash, inner, wanted);
  }
}

/** @param {string} file */
export function readStamp(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * @param {string} file
 * @param {string} text
 */
export function writeStamp(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
