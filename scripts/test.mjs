// `npm test`: every suite, one summary, and as the last line `N passed, N failed` (`, N skipped` where there are any).
//   npm test -- unit e2e     only these suites: types lint unit native e2e
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { electronEnvironment, requireElectron } from './electron/runtime.mjs';
import { root } from './project.mjs';
import { runMain, SetupFailure } from './say.mjs';
import { whyNoDisplay } from './setup/display.mjs';
import { readCountLine, readPlaywright, total } from './testResults.mjs';
import { unitReport } from './unitReport.mjs';
import { startVirtualDisplay } from './virtualDisplay.mjs';

/**
 * @typedef {import('./testResults.mjs').Result} Result
 * @typedef {{ status: number | null, how: string, words: string }} Ended how a process ended and what it printed
 * @typedef {object} Suite
 * @property {string} name
 * @property {number} minutes after which it is ended and counts as failed
 * @property {readonly string[]} command run with this Node
 * @property {(ended: Ended) => Result | undefined} [read] what it reported; a suite without is one result, its exit status
 */

const bin = (/** @type {string} */ path) => join(root, 'node_modules', path);
const e2eReport = join(root, 'test-results/e2e.json');

/** @type {readonly Suite[]} */
const suites = [
  { name: 'types', minutes: 5, command: [bin('typescript/bin/tsc'), '-b'] },
  {
    name: 'lint',
    minutes: 5,
    command: [bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'],
  },
  {
    name: 'unit',
    minutes: 25,
    command: [bin('vitest/vitest.mjs'), 'run', '--reporter=default', '--reporter=./scripts/unitReport.mjs'],
    read: () => readJson(unitReport),
  },
  {
    name: 'native',
    minutes: 25,
    command: [join(root, 'native/build.mjs'), '--logic-tests'],
    // Exit status 3 is its word for `there is no compiler here`.
    read: ({ status, words }) =>
      status === 3
        ? { passed: 0, failed: [], skipped: ['native logic tests: no C++ compiler on this machine'] }
        : readCountLine(words),
  },
  {
    name: 'e2e',
    minutes: 35,
    command: [bin('@playwright/test/cli.js'), 'test'],
    read: () => readPlaywright(readJson(e2eReport)),
  },
];

/** @param {string} file */
const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

/**
 * @param {Suite} suite
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Result>}
 */
async function runSuite(suite, env) {
  const start = Date.now();
  console.log(`\n── ${suite.name} ${'─'.repeat(70 - suite.name.length)}`);
  // A report of an earlier run must not speak for a run that crashed.
  for (const report of [unitReport, e2eReport]) rmSync(report, { force: true });
  const result = resultOf(suite, await run(suite, env));
  console.log(`── ${suite.name}: ${total([result])} in ${((Date.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

/**
 * @param {Suite} suite
 * @param {Ended} ended
 * @returns {Result}
 */
function resultOf(suite, ended) {
  const isFine = ended.status === 0;
  const asOne = {
    passed: isFine ? 1 : 0,
    failed: isFine ? [] : [`${suite.name}: ${ended.how}`],
    skipped: [],
  };
  if (suite.read === undefined) return asOne;
  /** @type {Result | undefined} */
  let result;
  try {
    result = suite.read(ended);
  } catch {
    // It crashed before it could report.
  }
  if (result === undefined)
    return { ...asOne, passed: 0, failed: [`${suite.name}: ${ended.how}, no report`] };
  if (result.passed + result.failed.length + result.skipped.length === 0)
    result.failed.push(`${suite.name}: no test ran`);
  if (!isFine && result.failed.length === 0 && result.skipped.length === 0)
    result.failed.push(...asOne.failed);
  return result;
}

/**
 * @param {Suite} suite
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Ended>}
 */
function run(suite, env) {
  // A group of its own, so that a suite that hangs is ended with everything that it started.
  const child = spawn(process.execPath, suite.command, {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let words = '';
  child.stdout.on('data', (bytes) => {
    process.stdout.write(bytes);
    words += bytes;
  });
  const end = () => killGroup(child.pid);
  process.once('SIGINT', end).once('SIGTERM', end);
  const late = setTimeout(end, suite.minutes * 60_000);
  return new Promise((done) => {
    child.on('error', (error) => done({ how: error.message, status: null, words }));
    child.on('exit', () => killGroup(child.pid));
    child.on('close', (status, signal) => {
      clearTimeout(late);
      process.off('SIGINT', end).off('SIGTERM', end);
      done({ how: signal ? `ended by ${signal}` : `exit status ${status}`, status, words });
    });
  });
}

/** @param {number | undefined} pid */
function killGroup(pid) {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}

/** @param {readonly Suite[]} chosen */
async function runAll(chosen) {
  const runtime = requireElectron();
  console.log(
    `Electron ${runtime.version} (${runtime.source}), Node ${process.versions.node}, ${process.platform}-${process.arch}`,
  );
  const env = /** @type {NodeJS.ProcessEnv} */ (electronEnvironment(runtime));
  const needsDisplay = chosen.some((suite) => suite.name === 'e2e') && whyNoDisplay() !== undefined;
  const display = needsDisplay ? await startVirtualDisplay() : undefined;
  if (display) env['DISPLAY'] = display.name;
  /** @type {Result[]} */
  const all = [];
  try {
    for (const suite of chosen) all.push(await runSuite(suite, env));
  } finally {
    display?.stop();
  }
  return all;
}

await runMain(async () => {
  const names = process.argv.slice(2);
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0)
    throw new SetupFailure(
      `no suite is called ${unknown.join(', ')}: ${suites.map((s) => s.name).join(', ')}`,
      2,
    );
  const all = await runAll(suites.filter((suite) => names.length === 0 || names.includes(suite.name)));
  console.log('');
  for (const name of all.flatMap((result) => result.skipped)) console.log(`skipped: ${name}`);
  for (const name of all.flatMap((result) => result.failed)) console.log(`failed: ${name}`);
  console.log(total(all));
  process.exitCode = all.every((result) => result.failed.length === 0) ? 0 : 1;
});
