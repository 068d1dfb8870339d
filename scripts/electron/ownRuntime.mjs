// The electron package downloads its runtime itself. Labs and CI often cannot reach its host, and a firewall that
// drops packets would hang for minutes: a download that shows no new byte for 20 s is ended, and not tried again for a day.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { userCache } from '../project.mjs';
import { say } from '../say.mjs';

const silenceMs = 20_000;
const dayMs = 24 * 3600_000;

const failureFile = () => join(userCache(), 'electron-download-failed.json');

/**
 * @param {string} electronPackage folder of the installed electron package
 * @returns {Promise<string | undefined>} why there is none, or undefined when it came
 */
export async function downloadOwn(electronPackage) {
  const version = JSON.parse(readFileSync(join(electronPackage, 'package.json'), 'utf8')).version;
  const earlier = readFailure(version);
  if (earlier !== undefined) return earlier;
  say(`set-up: downloading the Electron ${version} runtime`);
  const reason = await runInstaller(electronPackage);
  if (reason === undefined) rmSync(failureFile(), { force: true });
  else rememberFailure(version, reason);
  return reason;
}

/** @param {string} version */
function readFailure(version) {
  try {
    const failure = JSON.parse(readFileSync(failureFile(), 'utf8'));
    const isRecent = Date.now() - failure.at < dayMs && failure.version === version;
    return isRecent ? String(failure.reason) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} version
 * @param {string} reason
 */
function rememberFailure(version, reason) {
  mkdirSync(userCache(), { recursive: true });
  writeFileSync(failureFile(), JSON.stringify({ at: Date.now(), version, reason }));
}

/**
 * @param {string} electronPackage
 * @returns {Promise<string | undefined>}
 */
async function runInstaller(electronPackage) {
  // The download goes to a temporary folder of its own, so that its growth can be watched.
  const folder = mkdtempSync(join(tmpdir(), 'dyno-electron-'));
  const env = { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder };
  const installer = spawn(process.execPath, [join(electronPackage, 'install.js')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env,
  });
  let words = '';
  installer.stderr.on('data', (bytes) => {
    words += bytes;
  });
  let size = 0;
  let grewAt = Date.now();
  let isSilent = false;
  const watch = setInterval(() => {
    const now = sizeOf(folder) + sizeOf(join(electronPackage, 'dist'));
    if (now !== size) {
      size = now;
      grewAt = Date.now();
    } else if (Date.now() - grewAt > silenceMs) {
      isSilent = true;
      installer.kill('SIGKILL');
    }
  }, 500);
  /** @type {number | null} */
  const status = await new Promise((done) => {
    installer.on('error', () => done(1));
    installer.on('close', done);
  });
  clearInterval(watch);
  rmSync(folder, { recursive: true, force: true });
  if (status === 0) return undefined;
  rmSync(join(electronPackage, 'dist'), { recursive: true, force: true });
  return isSilent ? `no byte came for ${silenceMs / 1000} s` : failureIn(words);
}

/** What went wrong, without the stack. @param {string} words */
export function failureIn(words) {
  const lines = words.split('\n').map((line) => line.trim());
  const first = lines.find((line) => line !== '' && !line.startsWith('at ')) ?? 'it gave no reason';
  return first.replace(/^\w*Error: /, '').slice(0, 120);
}

/** Files come and go while it is measured. @param {string} folder @returns {number} */
function sizeOf(folder) {
  let size = 0;
  try {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      size += statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
    }
  } catch {
    // Gone in the meantime.
  }
  return size;
}
