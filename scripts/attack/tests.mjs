import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../project.mjs';

/** Where each loss and each way in that was found once is a test. */
const files = [
  'electron/host/store/recovery.test.ts',
  'electron/host/store/hostileBundle.test.ts',
  'electron/host/windowGrants.test.ts',
  'electron/host/open/whatFile.test.ts',
  'electron/host/runs/runnerProcess.test.ts',
  'electron/cli/terminal.test.ts',
  'electron/cli/limits.test.ts',
  'electron/main',
  'renderer/state/hostClient.test.ts',
  'workloads/traffic/trafficBuilder.test.ts',
  'scripts/dist.test.ts',
  // Under ASan, and with DYNO_ATTACK under ThreadSanitizer.
  'native/logic.test.ts',
];

/** @param {import('./attackTable.mjs').AttackTable} table */
export async function attackTests(table) {
  const folder = mkdtempSync(join(tmpdir(), 'dyno-attack-'));
  const report = join(folder, 'report.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  spawnSync(process.execPath, [vitest, 'run', ...files, '--reporter=json', `--outputFile=${report}`], {
    cwd: root,
    stdio: 'ignore',
    env: { ...process.env, DYNO_ATTACK: '1' },
  });
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  rmSync(folder, { recursive: true, force: true });
  for (const { name, message, assertionResults } of testResults) {
    if (assertionResults.length === 0) table.line(name, message.split('\n')[0], '', false);
    for (const { fullName, status } of assertionResults)
      if (status !== 'skipped' && status !== 'pending')
        table.line(fullName.trim().slice(0, 90), status, '', status === 'passed');
  }
}

/**
 * The real Electron, through Playwright: each file so many times over, every second time of the kills beside busy cores.
 * @param {import('./attackTable.mjs').AttackTable} table
 * @param {boolean} isShort
 */
export async function attackWindow(table, isShort) {
  // Three ways to quit and three processes to kill: 21 quits and 39 kills.
  for (const [file, times] of /** @type {const} */ ([
    ['e2e/quit.spec.ts', isShort ? 1 : 7],
    ['e2e/kills.spec.ts', isShort ? 1 : 13],
    ['e2e/interrupted.spec.ts', 1],
    ['e2e/scale.spec.ts', 1],
  ]))
    windowFile(table, file, times, isShort);
}

/**
 * @param {import('./attackTable.mjs').AttackTable} table
 * @param {string} file
 * @param {number} times
 * @param {boolean} isShort
 */
function windowFile(table, file, times, isShort) {
  const playwright = join(root, 'node_modules/@playwright/test/cli.js');
  const { stdout, status } = spawnSync(
    process.execPath,
    [playwright, 'test', file, `--repeat-each=${times}`, '--reporter=json'],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 2 ** 20,
      env: { ...process.env, DYNO_ATTACK: '1', DYNO_ATTACK_BUNDLES: String(isShort ? 500 : 10_000) },
    },
  );
  const at = stdout.indexOf('{');
  if (at < 0) {
    table.line(`window: ${file}`, `Playwright ended with ${status}`, '', false);
    return;
  }
  /** @type {Map<string, { passed: number, failed: number, words: string[] }>} */
  const found = new Map();
  /** @type {string[][]} */
  const figures = [];
  /** @param {any} suite */
  const walk = (suite) => {
    for (const inner of suite.suites ?? []) walk(inner);
    // A test that is repeated is one spec with several tests.
    for (const { title, tests } of suite.specs ?? [])
      for (const { annotations, status: how, results } of tests ?? []) {
        for (const { type, description } of annotations ?? [])
          if (type === 'figure') figures.push(String(description).split('|'));
        if (how === 'skipped') continue;
        const count = found.get(title) ?? { passed: 0, failed: 0, words: [] };
        if (how === 'expected') count.passed += 1;
        else {
          count.failed += 1;
          count.words.push(String(results?.[0]?.error?.message ?? '').split('\n')[0] ?? '');
        }
        found.set(title, count);
      }
  };
  walk(JSON.parse(stdout.slice(at)));
  for (const [title, { passed, failed, words }] of found) {
    table.line(`window: ${title}`, `${passed} of ${passed + failed}`, 'all', failed === 0);
    for (const text of words.slice(0, 3)) table.note(text);
  }
  for (const [what = '', value = '', budget = ''] of figures) table.figure(what, value, budget);
}
