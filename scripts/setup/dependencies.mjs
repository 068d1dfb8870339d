// node_modules, exactly as the lockfile says.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../project.mjs';
import { say } from '../say.mjs';
import { readStamp, writeStamp } from './freshness.mjs';
import { npm } from './npm.mjs';

const lockfile = join(root, 'package-lock.json');
// Inside node_modules, so that deleting that folder also forgets that it was installed.
const stampFile = join(root, 'node_modules', '.dyno-lockfile');

export function dependenciesAreFresh() {
  const wanted = hashOf(lockfile);
  if (readStamp(stampFile) === wanted) return true;
  if (readStamp(stampFile) !== undefined || !installedByHand()) return false;
  writeStamp(stampFile, wanted);
  return true;
}

export function installDependencies() {
  say('set-up: installing the dependencies (npm ci)');
  npm(['ci'], { cwd: root, failure: 'set-up: npm ci failed' });
  writeStamp(stampFile, hashOf(lockfile));
}

/** npm writes its hidden lockfile last: when that is newer than ours, npm has run since the last change. */
function installedByHand() {
  const hidden = statSync(join(root, 'node_modules/.package-lock.json'), { throwIfNoEntry: false });
  return hidden !== undefined && hidden.mtimeMs >= statSync(lockfile).mtimeMs;
}

/** @param {string} file */
function hashOf(file) {
  return createHash('sha1').update(readFileSync(file)).digest('hex');
}
