// llama.cpp's own server, made once per version from what the npm registry carries:
//
//   node-llama-cpp               llama/gitRelease.bundle   source of the release: only the server's own files are compiled
//   @node-llama-cpp/linux-x64    bins/linux-x64/*.so       the prebuilt libraries that they are linked to
//
// About 5 minutes of CPU time, at low priority; one rename at the end makes the result visible. Without g++ or git
// nothing is built and a note says why: the tests that need the server are skipped with that reason.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { userCache } from '../project.mjs';
import { SetupFailure, say } from '../say.mjs';
import { isAlive, withLock } from '../setup/lock.mjs';
import { npm } from '../setup/npm.mjs';
import { findLlamaServer, llamaFolder, llamaPackage, llamaVersion } from './llamaServer.mjs';

/** Never fails the set-up: what went wrong is written down and said once. */
export async function ensureLlamaServer() {
  if (findLlamaServer() !== undefined || process.platform !== 'linux' || process.arch !== 'x64') return;
  const cache = userCache();
  mkdirSync(cache, { recursive: true });
  await withLock(join(cache, 'llama-server.lock'), async () => {
    if (findLlamaServer() !== undefined) return;
    const note = join(cache, `llama-server-${llamaVersion()}.failed`);
    try {
      await build(cache);
      rmSync(note, { force: true });
    } catch (error) {
      if (!(error instanceof SetupFailure)) throw error;
      say(`set-up: going on without llama-server (${error.message})`);
      writeFileSync(note, `${error.message}\n`);
    }
  });
}

/** @param {string} cache */
async function build(cache) {
  for (const tool of ['g++', 'git']) requireTool(tool);
  say(`set-up: building llama-server ${llamaVersion()} for the tests (once, about 5 minutes of CPU time)`);
  for (const name of readdirSync(cache)) {
    const pid = Number(/^\.llama-(\d+)$/.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) rmSync(join(cache, name), { recursive: true, force: true });
  }
  const staging = join(cache, `.llama-${process.pid}`);
  try {
    mkdirSync(join(staging, 'done'), { recursive: true });
    for (const name of ['package.json', 'package-lock.json'])
      copyFileSync(join(llamaPackage, name), join(staging, name));
    // Without the optional packages: they are the libraries for other systems and for GPUs (700 MB).
    npm(['ci', '--omit=optional', '--ignore-scripts', '--cache', join(staging, 'npm')], {
      cwd: staging,
      failure: 'its packages could not be fetched from the npm registry',
    });
    rmSync(join(staging, 'npm'), { recursive: true, force: true });
    await compile(staging);
    renameSync(join(staging, 'done'), llamaFolder());
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** @param {string} tool */
function requireTool(tool) {
  const { status } = spawnSync(tool, ['--version'], { stdio: 'ignore' });
  if (status !== 0) throw new SetupFailure(`there is no ${tool} on this machine`);
}

/** @param {string} staging */
async function compile(staging) {
  const source = join(staging, 'source');
  const bundle = join(staging, 'node_modules/node-llama-cpp/llama/gitRelease.bundle');
  await run('git', ['-c', 'advice.detachedHead=false', 'clone', '--quiet', bundle, source]);
  const objects = join(staging, 'objects');
  const generated = join(staging, 'generated');
  for (const folder of [objects, generated]) mkdirSync(folder);
  const embed = join(generated, 'embed');
  await run('g++', ['-std=c++17', '-o', embed, join(source, 'tools/ui/embed.cpp')]);
  await run(embed, [join(generated, 'ui.cpp'), join(generated, 'ui.h')]);
  const units = sourcesOf(source, generated);
  await inParallel(
    units.map((unit) => () => run(...compilerCall(unit, source, generated, objects))),
    availableParallelism(),
  );
  const libraries = join(staging, 'node_modules/@node-llama-cpp/linux-x64/bins/linux-x64');
  const done = join(staging, 'done');
  for (const name of readdirSync(libraries))
    if (name.endsWith('.so')) copyFileSync(join(libraries, name), join(done, name));
  const linked = readdirSync(done).filter((name) => !name.startsWith('libggml-cpu-'));
  await run('g++', [
    ...['-o', join(done, 'llama-server'), ...units.map((unit) => objectOf(unit, objects))],
    ...linked.map((name) => join(done, name)),
    ...['-Wl,-rpath,$ORIGIN', '-Wl,--allow-shlib-undefined', '-lpthread', '-ldl'],
  ]);
  const asked = spawnSync(join(done, 'llama-server'), ['--version'], { cwd: done, encoding: 'utf8' });
  if (asked.status !== 0)
    throw new SetupFailure(`the built llama-server does not start: ${lastLine(asked.stderr)}`);
  writeFileSync(join(done, 'version'), `${llamaVersion()}\n`);
}

/**
 * @param {string} source
 * @param {string} generated
 */
function sourcesOf(source, generated) {
  const all = (/** @type {string} */ folder, /** @type {RegExp} */ pattern) =>
    readdirSync(join(source, folder))
      .filter((name) => pattern.test(name))
      .map((name) => join(source, folder, name));
  return [
    ...all('tools/server', /\.cpp$/),
    ...all('tools/mtmd', /^(?:clip|mtmd)(?!-cli).*\.cpp$/),
    ...all('tools/mtmd/models', /\.cpp$/),
    ...['vendor/cpp-httplib/httplib.cpp', 'vendor/hash/hash.cpp'].map((name) => join(source, name)),
    ...['xxhash/xxhash.c', 'sha256/sha256.c', 'sha1/sha1.c'].map((name) => join(source, 'vendor/hash', name)),
    join(generated, 'ui.cpp'),
  ];
}

/** Object files of one folder: clip.cpp and models/clip.cpp keep apart by their folder's name. @param {string} unit */
const objectOf = (unit, /** @type {string} */ objects) =>
  join(objects, `${basename(dirname(unit))}-${basename(unit)}.o`);

/**
 * @param {string} unit
 * @param {string} source
 * @param {string} generated
 * @param {string} objects
 * @returns {[string, string[]]}
 */
function compilerCall(unit, source, generated, objects) {
  // sha1.c is C++ in all but its name. What only a linker wants (images and sound) is compiled as fast as possible.
  const isC = unit.endsWith('.c') && !unit.endsWith('sha1.c');
  const level = unit.includes('/mtmd/') ? '-O0' : '-O1';
  const definitions = [
    ...['LLAMA_SUBPROCESS', 'LLAMA_SHARED', 'GGML_SHARED', 'GGML_BACKEND_SHARED', '_GNU_SOURCE'],
    ...['CPPHTTPLIB_FORM_URL_ENCODED_PAYLOAD_MAX_LENGTH=1048576', 'CPPHTTPLIB_LISTEN_BACKLOG=512'],
    ...['CPPHTTPLIB_REQUEST_URI_MAX_LENGTH=32768', 'CPPHTTPLIB_TCP_NODELAY=1'],
  ];
  const folders = [
    '.',
    'include',
    'ggml/include',
    'common',
    'vendor',
    'vendor/hash',
    'tools/server',
    'tools/mtmd',
  ];
  return [
    isC ? 'gcc' : 'g++',
    [
      ...(isC ? [] : ['-x', 'c++', '-std=c++17']),
      ...[level, '-w', ...definitions.map((name) => `-D${name}`)],
      ...[...folders.map((name) => `-I${join(source, name)}`), `-I${generated}`],
      ...['-c', unit, '-o', objectOf(unit, objects)],
    ],
  ];
}

/**
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<void>}
 */
function run(command, args) {
  const child = spawn('nice', ['-n', '10', command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    words = (words + text).slice(-4000);
  });
  return new Promise((done, fail) => {
    child.on('error', (error) => fail(new SetupFailure(`${command}: ${error.message}`)));
    child.on('close', (status) => {
      if (status === 0) done();
      else fail(new SetupFailure(`${command} failed: ${/^.*error.*$/m.exec(words)?.[0] ?? lastLine(words)}`));
    });
  });
}

/** @param {string} words */
const lastLine = (words) => words.trim().split('\n').at(-1) ?? '';

/**
 * @param {(() => Promise<void>)[]} jobs
 * @param {number} atOnce
 */
async function inParallel(jobs, atOnce) {
  const queue = [...jobs];
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await job();
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
