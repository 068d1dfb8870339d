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
];

/** @param {import('./attackTable.mjs').AttackTable} table */
export async function attackTests(table) {
  const folder = mkdtempSync(join(tmpdir(), 'dyno-attack-'));
  const report = join(folder, 'report.json');
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  spawnSync(process.execPath, [vitest, 'run', ...files, '--reporter=json', `--outputFile=${report}`], {
    cwd: root,
    stdio: 'ignore',
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
 * The real Electron, through Playwright.
 * @param {import('./attackTable.mjs').AttackTable} table
 * @param {number} times
 */
export async function attackWindow(table, times) {
  const playwright = join(root, 'node_modules/@playwright/test/cli.js');
  const { stdout, status } = spawnSync(
    process.execPath,
    [
      playwright,
      'test',
      'e2e/quit.spec.ts',
      'e2e/interrupted.spec.ts',
      'e2e/kills.spec.ts',
      `--repeat-each=${times}`,
      '--reporter=json',
    ],
    { cwd: root, encoding: 'utf8', maxBuffer: 64 * 2 ** 20, env: { ...process.env, DYNO_ATTACK: '1' } },
  );
  const at = stdout.indexOf('{');
  if (at < 0) {
    table.line('the real Electron', `Playwright ended with ${status}`, '', false);
    return;
  }
  /** @type {Map<string, { passed: number, failed: number }>} */
  const found = new Map();
  /** @param {any} suite */
  const walk = (suite) => {
    for (const inner of suite.suites ?? []) walk(inner);
    for (const { title, ok } of suite.specs ?? []) {
      const count = found.get(title) ?? { passed: 0, failed: 0 };
      if (ok) count.passed += 1;
      else count.failed += 1;
      found.set(title, count);
    }
  };
  walk(JSON.parse(stdout.slice(at)));
  for (const [title, { passed, failed }] of found)
    table.line(`window: ${title}`, `${passed} of ${passed + failed}`, 'all', failed === 0);
}
