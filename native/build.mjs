// Builds the native addon: `node native/build.mjs` -> native/build/dyno.node and native/build/kernels/*.fatbin.
//
//   node native/build.mjs               addon, kernels (where nvcc is), fake drivers for the tests
//   node native/build.mjs --logic-tests[=address|thread]   builds and runs the plain C++ tests, sanitized when asked
//   node native/build.mjs --verbose     prints each command
//
// Plain g++ and nvcc, headers from node-api-headers and node-addon-api: nothing is downloaded. A step runs again only
// when its command or the content of one of its inputs changed (the compiler's own dependency files say which).
// Exit status: 0 built or up to date, 1 a compiler refused, 3 no C++ compiler.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const out = join(here, 'build');
const options = process.argv.slice(2);
const verbose = options.includes('--verbose');
const logicTests = options.find((option) => option.startsWith('--logic-tests'));
const sanitizer = logicTests?.split('=')[1] ?? '';
if (sanitizer !== '' && sanitizer !== 'address' && sanitizer !== 'thread') {
  fail(
    2,
    `--logic-tests=${sanitizer}: expected --logic-tests, --logic-tests=address or --logic-tests=thread`,
  );
}

// Real code objects for the cards we measure, and PTX so that a newer card compiles it at load.
const architectures = [
  ['80', 'sm_80'],
  ['90a', 'sm_90a'],
  ['100', 'sm_100'],
  ['80', 'compute_80'],
];

// The transformer's kernels: Hopper, and PTX for every other card from Ampere on (compiled at its first load).
const servingArchitectures = [
  ['90a', 'sm_90a'],
  ['80', 'compute_80'],
];

function fail(status, message) {
  process.stderr.write(`native: ${message}\n`);
  process.exit(status);
}

function onPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder !== '' && existsSync(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

function sources(folder, ending) {
  const found = [];
  for (const entry of readdirSync(join(here, folder), { withFileTypes: true })) {
    if (entry.isFile() && entry.name.endsWith(ending)) found.push(join(here, folder, entry.name));
  }
  return found.sort();
}

// ---- Up to date? A step is {output, command, inputs?, depfile?}; its key is a hash of the command and of every input's content.

const contentHashes = new Map();
function contentHash(path) {
  let hash = contentHashes.get(path);
  if (hash === undefined) {
    hash = existsSync(path) ? createHash('sha1').update(readFileSync(path)).digest('hex') : 'absent';
    contentHashes.set(path, hash);
  }
  return hash;
}

// A dependency file is a make rule: "out.o: a.cpp b.h \<newline> c.h". System headers are left out by -MMD.
function readDependencies(path) {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8').replaceAll('\\\n', ' ');
  return text
    .slice(text.indexOf(': ') + 2)
    .split(/\s+/)
    .filter((name) => name !== '');
}

const stampPath = join(out, 'stamp.json');
const stamps = existsSync(stampPath) ? JSON.parse(readFileSync(stampPath, 'utf8')) : {};

function keyOf(step) {
  const inputs = step.depfile ? readDependencies(step.depfile) : step.inputs;
  if (inputs === undefined) return undefined;
  const hash = createHash('sha1').update(JSON.stringify(step.command));
  for (const input of inputs)
    hash.update(`${input}\0${input.startsWith(out) ? fileTime(input) : contentHash(input)}\0`);
  return hash.digest('hex');
}
const fileTime = (path) => (existsSync(path) ? `${statSync(path).mtimeMs}` : 'absent');

const isFresh = (step) =>
  existsSync(step.output) && stamps[step.output] !== undefined && stamps[step.output] === keyOf(step);

function run(step) {
  return new Promise((resolve) => {
    mkdirSync(dirname(step.output), { recursive: true });
    if (verbose) process.stderr.write(`${step.command.join(' ')}\n`);
    const child = spawn(step.command[0], step.command.slice(1), {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stdout.on('data', (bytes) => (said += bytes));
    child.stderr.on('data', (bytes) => (said += bytes));
    child.on('error', (error) => resolve({ step, status: 1, said: String(error) }));
    child.on('close', (status) => resolve({ step, status: status ?? 1, said }));
  });
}

async function build(steps) {
  const due = steps.filter((step) => !isFresh(step));
  if (due.length === 0) return 0;
  const waiting = [...due];
  const failed = [];
  const worker = async () => {
    for (let step = waiting.shift(); step !== undefined && failed.length === 0; step = waiting.shift()) {
      process.stdout.write(`native: ${relative(here, step.output)}\n`);
      const result = await run(step);
      if (result.status !== 0) failed.push(result);
      else {
        if (result.said !== '') process.stderr.write(result.said);
        stamps[step.output] = keyOf(step);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, worker));
  // Another build may run at the same time (a test set-up and a person): write aside, then rename.
  const aside = `${stampPath}.${process.pid}`;
  writeFileSync(aside, JSON.stringify(stamps, undefined, 1));
  renameSync(aside, stampPath);
  for (const { step, said } of failed)
    process.stderr.write(`native: ${relative(root, step.output)} did not build\n${said}\n`);
  if (failed.length > 0) process.exit(1);
  return due.length;
}

// ---- What there is to build

const compiler = process.env.CXX ?? onPath('g++') ?? onPath('c++') ?? onPath('clang++');
if (process.platform !== 'linux')
  fail(3, 'the addon is built on Linux only; Dyno runs without it (no GPU telemetry, no cuda engine)');
if (compiler === undefined)
  fail(
    3,
    'no C++ compiler found (install g++); Dyno runs without the addon: no GPU telemetry, no cuda engine',
  );
const nvcc =
  process.env.NVCC ??
  onPath('nvcc') ??
  (existsSync('/usr/local/cuda/bin/nvcc') ? '/usr/local/cuda/bin/nvcc' : undefined);

const modules = join(root, 'node_modules');
const includes = [
  `-I${here}`,
  `-isystem${join(modules, 'node-api-headers/include')}`,
  `-isystem${join(modules, 'node-addon-api')}`,
];
// NVTX is headers only; where a toolkit is present ranges are compiled in, elsewhere they are no-ops that say so.
const toolkitInclude = nvcc
  ? [join(dirname(dirname(nvcc)), 'include'), '/usr/local/cuda/include'].find((folder) =>
      existsSync(join(folder, 'nvtx3/nvToolsExt.h')),
    )
  : undefined;
if (toolkitInclude) includes.push(`-idirafter${toolkitInclude}`);

const warnings = [
  '-Wall',
  '-Wextra',
  '-Wshadow',
  '-Wconversion',
  '-Wno-sign-conversion',
  '-Werror=return-type',
];
const common = ['-std=c++20', '-fPIC', '-fvisibility=hidden', '-pthread', '-g1', ...warnings, ...includes];
const addonDefines = [
  '-DNAPI_VERSION=8',
  '-DNODE_ADDON_API_DISABLE_DEPRECATED',
  '-DNODE_API_NO_EXTERNAL_BUFFERS_ALLOWED',
  // An answer that comes while the process ends has nobody to be told: it must not abort the host.
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
];
const logicFolders = ['driver', 'nvml', 'cuda', 'cupti', 'engine', 'transformer', 'http'];

function objects(folder, files, flags) {
  return files.map((file) => {
    const output = join(out, folder, `${relative(here, file).replaceAll('/', '.')}.o`);
    const depfile = output.replace(/o$/, 'd');
    return {
      output,
      depfile,
      command: [compiler, ...flags, '-MMD', '-MF', depfile, '-c', file, '-o', output],
    };
  });
}

const logicSources = logicFolders
  .filter((folder) => existsSync(join(here, folder)))
  .flatMap((folder) => sources(folder, '.cpp'));

async function buildAddon() {
  const flags = [...common, '-O2', ...addonDefines];
  const compiled = objects('objects', [...logicSources, ...sources('addon', '.cpp')], flags);
  await build([...compiled, ...fakes('fake', common, '-O1'), ...kernels()]);
  copyKernelSources();
  const inputs = compiled.map((step) => step.output);
  const addon = join(out, 'dyno.node');
  const pending = `${addon}.${process.pid}`;
  const link = {
    output: addon,
    inputs,
    command: [
      compiler,
      '-shared',
      '-pthread',
      '-o',
      addon,
      ...inputs,
      '-static-libstdc++',
      '-static-libgcc',
      '-ldl',
      '-Wl,--exclude-libs,ALL',
    ],
  };
  // A running Node may have the old file mapped: link aside and rename, so that it keeps its own copy.
  if (!isFresh(link)) {
    const aside = { ...link, command: link.command.map((word) => (word === addon ? pending : word)) };
    const result = await run(aside);
    if (result.status !== 0) {
      rmSync(pending, { force: true });
      fail(1, `dyno.node did not link\n${result.said}`);
    }
    renameSync(pending, addon);
    stamps[addon] = keyOf(link);
    writeFileSync(stampPath, JSON.stringify(stamps, undefined, 1));
    process.stdout.write('native: dyno.node\n');
  }
}

// The fake drivers: one shared object each, loaded by path in the tests, never shipped.
function fakes(folder, flags, optimisation) {
  if (!existsSync(join(here, 'fake'))) return [];
  return sources('fake', '.cpp').map((file) => {
    const name = relative(join(here, 'fake'), file).replace(/\.cpp$/, '');
    const output = join(out, folder, `lib${name}.so`);
    const depfile = `${output}.d`;
    return {
      output,
      depfile,
      command: [
        compiler,
        ...flags,
        optimisation,
        '-fvisibility=default',
        '-shared',
        '-MMD',
        '-MF',
        depfile,
        file,
        '-o',
        output,
        '-ldl',
      ],
    };
  });
}

function kernels() {
  if (!existsSync(join(here, 'kernels'))) return [];
  if (nvcc === undefined) {
    if (!existsSync(join(out, 'kernels', 'workloads.fatbin')))
      process.stdout.write(
        'native: nvcc is not installed: the kernels are left out; where libnvrtc is, they are compiled at their first use\n',
      );
    return [];
  }
  const compiled = (folder, targets, into) =>
    sources(folder, '.cu').map((file) => {
      const output = join(into, `${relative(join(here, folder), file).replace(/\.cu$/, '')}.fatbin`);
      const depfile = `${output}.d`;
      const codes = targets.flatMap(([compute, code]) => [
        '-gencode',
        `arch=compute_${compute},code=${code}`,
      ]);
      const flags = ['-fatbin', '-O3', '-std=c++17', '-lineinfo', `-I${here}`];
      return {
        output,
        depfile,
        command: [nvcc, ...flags, ...codes, '-MMD', '-MF', depfile, file, '-o', output],
      };
    });
  return [
    ...compiled('kernels', architectures, join(out, 'kernels')),
    ...compiled('transformer', servingArchitectures, join(out, 'kernels', 'transformer')),
  ];
}

// Where nvcc was missing, NVRTC compiles these on the user's machine (`cuda/nvrtc.h`).
function copyKernelSources() {
  for (const [from, folder] of [
    ['kernels', join(out, 'kernels', 'source')],
    ['transformer', join(out, 'kernels', 'transformer', 'source')],
  ]) {
    mkdirSync(folder, { recursive: true });
    for (const file of sources(from, '.cu')) {
      const target = join(folder, relative(join(here, from), file));
      const text = withIncludes(file, new Set());
      if (existsSync(target) && readFileSync(target, 'utf8') === text) continue;
      writeFileSync(target, text);
    }
  }
}

// NVRTC reads one file: our own headers are put in place of their includes.
function withIncludes(file, seen) {
  return readFileSync(file, 'utf8').replaceAll(/^#include "(.+)"$/gm, (_, name) => {
    if (seen.has(name)) return '';
    seen.add(name);
    return withIncludes(join(here, name), seen).replace('#pragma once', '');
  });
}

async function buildAndRunLogicTests() {
  const sanitize =
    sanitizer === ''
      ? []
      : [
          `-fsanitize=${sanitizer === 'address' ? 'address,undefined' : 'thread'}`,
          '-fno-omit-frame-pointer',
          '-fno-sanitize-recover=all',
        ];
  const flags = [...common, '-O1', ...sanitize];
  const folder = `logic-${sanitizer === '' ? 'plain' : sanitizer}`;
  const compiled = objects(folder, [...logicSources, ...sources('tests', '.cpp')], flags);
  await build([...compiled, ...fakes(folder, [...common, ...sanitize], '-O1')]);
  const inputs = compiled.map((step) => step.output);
  const program = join(out, folder, 'logic-tests');
  await build([
    {
      output: program,
      inputs,
      command: [compiler, ...sanitize, '-pthread', '-o', program, ...inputs, '-ldl'],
    },
  ]);
  const ran = spawnSync(program, [join(out, folder)], {
    stdio: 'inherit',
    env: {
      ...process.env,
      ASAN_OPTIONS: 'detect_leaks=1',
      LSAN_OPTIONS: `suppressions=${join(here, 'tests/leaks.txt')}`,
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
  });
  process.exit(ran.status ?? 1);
}

mkdirSync(out, { recursive: true });
if (logicTests) await buildAndRunLogicTests();
else await buildAddon();
