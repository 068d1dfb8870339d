// The shared libraries that Electron links to and a server rarely has. They are looked for, never assumed: what `ldd`
// finds is not installed again. Debian and Ubuntu as root: installed; otherwise the one line that does it is printed.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SetupFailure, say } from '../say.mjs';

/** Which package holds a library. Names are Debian's; Ubuntu 24.04 and Debian 13 put t64 behind some of them. */
const packageOf = new Map([
  ['libasound.so.2', 'libasound2'],
  ['libatk-1.0.so.0', 'libatk1.0-0'],
  ['libatk-bridge-2.0.so.0', 'libatk-bridge2.0-0'],
  ['libatspi.so.0', 'libatspi2.0-0'],
  ['libcairo.so.2', 'libcairo2'],
  ['libcups.so.2', 'libcups2'],
  ['libdbus-1.so.3', 'libdbus-1-3'],
  ['libdrm.so.2', 'libdrm2'],
  ['libexpat.so.1', 'libexpat1'],
  ['libgbm.so.1', 'libgbm1'],
  ['libgdk-3.so.0', 'libgtk-3-0'],
  ['libgdk_pixbuf-2.0.so.0', 'libgdk-pixbuf-2.0-0'],
  ['libgio-2.0.so.0', 'libglib2.0-0'],
  ['libglib-2.0.so.0', 'libglib2.0-0'],
  ['libgobject-2.0.so.0', 'libglib2.0-0'],
  ['libgtk-3.so.0', 'libgtk-3-0'],
  ['libnspr4.so', 'libnspr4'],
  ['libnss3.so', 'libnss3'],
  ['libnssutil3.so', 'libnss3'],
  ['libpango-1.0.so.0', 'libpango-1.0-0'],
  ['libsmime3.so', 'libnss3'],
  ['libudev.so.1', 'libudev1'],
  ['libX11.so.6', 'libx11-6'],
  ['libxcb.so.1', 'libxcb1'],
  ['libXcomposite.so.1', 'libxcomposite1'],
  ['libXdamage.so.1', 'libxdamage1'],
  ['libXext.so.6', 'libxext6'],
  ['libXfixes.so.3', 'libxfixes3'],
  ['libxkbcommon.so.0', 'libxkbcommon0'],
  ['libXrandr.so.2', 'libxrandr2'],
]);

/**
 * @param {string} executable
 * @param {{ virtualDisplay: boolean }} need
 */
export function ensureSystemPackages(executable, { virtualDisplay }) {
  if (process.platform !== 'linux') return;
  const lacking = findLacking(executable, virtualDisplay);
  if (lacking.length === 0) return;
  const unknown = lacking.filter((item) => item.package === undefined).map((item) => item.what);
  if (unknown.length > 0) {
    throw new SetupFailure(
      `set-up: Electron needs ${unknown.join(', ')}: install the packages that hold them`,
    );
  }
  install([...new Set(lacking.map((item) => item.package ?? item.what))].sort());
  const still = findLacking(executable, virtualDisplay).map((item) => item.what);
  if (still.length > 0) throw new SetupFailure(`set-up: still missing after apt-get: ${still.join(', ')}`);
}

/**
 * @param {string} executable
 * @param {boolean} virtualDisplay
 * @returns {{ what: string, package: string | undefined }[]}
 */
function findLacking(executable, virtualDisplay) {
  const lacking = missingLibraries(executable).map((what) => ({ what, package: packageOf.get(what) }));
  if (virtualDisplay && !onPath('Xvfb')) lacking.push({ what: 'Xvfb', package: 'xvfb' });
  return lacking;
}

/** @param {string} executable */
function missingLibraries(executable) {
  const { stdout } = spawnSync('ldd', [executable], { encoding: 'utf8' });
  return [...(stdout ?? '').matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1] ?? '');
}

/** @param {string} name */
function onPath(name) {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
}

/** @param {string[]} names */
function install(names) {
  if (!onPath('apt-get')) {
    throw new SetupFailure(
      `set-up: these system packages are missing (by their Debian names): ${names.join(' ')}`,
    );
  }
  if (process.getuid?.() !== 0) {
    const line = `apt-get update && apt-get install -y --no-install-recommends ${names.map(nameHere).join(' ')}`;
    throw new SetupFailure(`set-up: system libraries are missing. Run: sudo sh -c '${line}'`);
  }
  say(`set-up: installing the system packages ${names.join(' ')}`);
  apt(['update', '-qq']);
  apt(['install', '-y', '-qq', '--no-install-recommends', ...names.map(nameHere)]);
}

/** @param {string[]} args */
function apt(args) {
  const timeouts = [
    '-o',
    'Acquire::Retries=2',
    '-o',
    'Acquire::http::Timeout=30',
    '-o',
    'DPkg::Lock::Timeout=300',
  ];
  const done = spawnSync('apt-get', [...timeouts, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (done.status === 0) return;
  const reason =
    /^E: (.*)$/m.exec(done.stderr ?? '')?.[1] ?? done.error?.message ?? `exit status ${done.status}`;
  throw new SetupFailure(`set-up: apt-get ${args[0]} failed: ${reason}`);
}

/** The name of a package in this release: the one with t64 where that exists. @param {string} name */
function nameHere(name) {
  const { stdout } = spawnSync('apt-cache', ['pkgnames', `${name}t64`], { encoding: 'utf8' });
  return stdout?.split('\n').includes(`${name}t64`) ? `${name}t64` : name;
}
