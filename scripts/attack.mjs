// Attacks Dyno and prints what came of it: `npm run attack`, `npm run attack -- --short`, one part with `--only=kills`.
// `attack/attack.test.ts` runs a still shorter form in the unit suite.
//
//   kills      the command line's host and runner, during a run, while it seals, while it recovers, two recoveries at once;
//              what was lost is counted against what the runner sent
//   tests      every way in and every loss that was found once, each a line
//   mutations  mutated inputs over every parser and message
//   scale      thousands of bundles in one history
//   soak       many runs by one host
//   window     the real Electron (with --window): quits, and kills of main, host, renderer
//
// Budgets are printed beside the figures. Lost data, a crash, a stack trace or a way in fails; a slow machine does not.

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { AttackTable } from './attack/attackTable.mjs';
import { attackInside } from './attack/inside.mjs';
import { attackKills } from './attack/kills.mjs';
import { attackScale } from './attack/scale.mjs';
import { attackTests, attackWindow } from './attack/tests.mjs';
import { out } from './project.mjs';
import { runMain, SetupFailure } from './say.mjs';

await runMain(async () => {
  const isShort = process.argv.includes('--short');
  const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice(7);
  if (!existsSync(join(out, 'cli.mjs'))) throw new SetupFailure('attack: Dyno is not built: npm run setup');
  const table = new AttackTable(availableParallelism());
  const wants = (/** @type {string} */ what) => only === undefined || only === what;
  if (wants('kills')) await attackKills(table, isShort ? 12 : 168);
  if (wants('tests')) await attackTests(table);
  if (wants('mutations')) await attackInside(table, 'mutate', isShort ? 900 : 10_000);
  if (wants('scale')) await attackScale(table, isShort ? 500 : 10_000);
  if (wants('soak')) await attackInside(table, 'soak', isShort ? 6 : 200);
  if (process.argv.includes('--window') || only === 'window') await attackWindow(table, isShort);
  table.end();
});
