import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { out } from '../project.mjs';

const kinds = /** @type {const} */ (['runner', 'host', 'sealing', 'recovering', 'two at once']);

/**
 * Kills, one after another, half of them beside busy cores; after each the bundle must be whole.
 * @param {import('./attackTable.mjs').AttackTable} table
 * @param {number} count
 */
export async function attackKills(table, count) {
  const found = new Map(
    kinds.map((kind) => [kind, { whole: 0, lost: [''].slice(1), unsaved: [0].slice(1) }]),
  );
  for (let i = 0; i < count; i++) {
    const kind = kinds[i % kinds.length] ?? 'host';
    const busy = i % 2 === 1 ? [busyCore(), busyCore()] : [];
    const home = mkdtempSync(join(tmpdir(), 'dyno-kill-'));
    try {
      const unsaved = await kill(home, kind);
      const problem = problemOf(home);
      const of = found.get(kind);
      if (of === undefined) continue;
      if (problem === undefined) of.whole += 1;
      else of.lost.push(problem);
      if (unsaved !== undefined) of.unsaved.push(unsaved);
    } finally {
      for (const child of busy) child.kill('SIGKILL');
      rmSync(home, { recursive: true, force: true });
    }
  }
  for (const [kind, { whole, lost, unsaved }] of found) {
    const all = whole + lost.length;
    if (all === 0) continue;
    table.line(`kill: ${kind}`, `${whole} of ${all} whole`, 'all', lost.length === 0);
    for (const problem of lost.slice(0, 3)) console.log(`    ${problem}`);
    const sorted = unsaved.sort((a, b) => a - b);
    if (sorted.length > 0)
      table.figure(
        `kill: ${kind}, since the last commit, median / most`,
        `${Math.round(sorted[sorted.length >> 1] ?? 0)} / ${Math.round(sorted.at(-1) ?? 0)} ms`,
        '≤ 1,000 ms',
      );
  }
}

const busyCore = () => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });

/** @param {string} home @param {readonly string[]} args */
function dyno(home, args) {
  return spawn(process.execPath, [join(out, 'cli.mjs'), ...args], {
    env: { ...process.env, DYNO_HOME: home },
    stdio: 'ignore',
  });
}

/** @param {import('node:child_process').ChildProcess} child */
const ended = (child) =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', resolve));

/** @param {() => boolean} test @param {number} limitMs */
async function until(test, limitMs) {
  const end = performance.now() + limitMs;
  while (!test()) {
    if (performance.now() > end) throw new Error('it did not come to that in time');
    await delay(2);
  }
}

/** Starts a run, kills what `kind` says, and returns the ms since the last commit then. @param {string} home @param {string} kind */
async function kill(home, kind) {
  const isSealing = kind === 'sealing';
  // A seal comes at full speed; the others are killed in the middle of a run that is played.
  const child = dyno(home, [
    ...['run', 'labs/dynamic_router:dynamic_router', '--set', `requests=${isSealing ? 20_000 : 50_000}`],
    ...(isSealing ? [] : ['--pace', '120']),
  ]);
  const runs = join(home, 'runs');
  const folder = () =>
    join(runs, existsSync(runs) ? (readdirSync(runs).find((name) => !name.startsWith('.')) ?? '-') : '-');
  const walBytes = () => statSync(join(folder(), 'live.duckdb.wal'), { throwIfNoEntry: false })?.size ?? 0;
  if (isSealing) {
    await until(
      () => existsSync(folder()) && readdirSync(folder()).some((name) => name.includes('.parquet')),
      180_000,
    );
    await delay(Math.random() * 150);
    child.kill('SIGKILL');
    await ended(child);
    return undefined;
  }
  await until(() => walBytes() > 20_000, 120_000);
  await delay(Math.random() * 1500);
  if (kind === 'runner') {
    const runner = runnerOf(child.pid ?? 0);
    if (runner > 0) process.kill(runner, 'SIGKILL');
    await ended(child);
    return undefined;
  }
  const unsaved = Date.now() - statSync(join(folder(), 'live.duckdb.wal')).mtimeMs;
  child.kill('SIGKILL');
  await ended(child);
  if (kind === 'recovering') {
    const recovering = dyno(home, ['runs']);
    await Promise.race([
      until(() => existsSync(join(folder(), '.recovering')), 60_000).catch(() => undefined),
      ended(recovering),
    ]);
    await delay(Math.random() * 60);
    recovering.kill('SIGKILL');
    await ended(recovering);
  }
  if (kind === 'two at once') await Promise.all([dyno(home, ['runs']), dyno(home, ['runs'])].map(ended));
  return unsaved;
}

/** The process that a host started, by Linux's list of children; 0 where there is none. @param {number} host */
function runnerOf(host) {
  try {
    const children = readFileSync(`/proc/${host}/task/${host}/children`, 'utf8').trim().split(' ');
    return Number(children[0] ?? 0);
  } catch {
    return 0;
  }
}

/** What is wrong with the one bundle of this home after the next start; undefined where nothing is. @param {string} home */
function problemOf(home) {
  const listed = spawnSync(process.execPath, [join(out, 'cli.mjs'), 'runs', '--json'], {
    env: { ...process.env, DYNO_HOME: home },
    encoding: 'utf8',
  });
  // The first start recovers while it lists; the second one lists what came of it.
  const again = spawnSync(process.execPath, [join(out, 'cli.mjs'), 'runs', '--json'], {
    env: { ...process.env, DYNO_HOME: home },
    encoding: 'utf8',
  });
  if (listed.status !== 0 || again.status !== 0) return `dyno runs: ${listed.stderr}${again.stderr}`;
  const { runs, unreadable } = JSON.parse(again.stdout);
  if (runs.length !== 1 || unreadable.length > 0) return `${runs.length} runs, ${JSON.stringify(unreadable)}`;
  const [{ folder, status }] = runs;
  const { files, error } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  if (status === 'running') return 'still running';
  if (/could not be read/.test(error?.message ?? '')) return error.message;
  // It was killed after the first commit: whichever table that was of has rows.
  const rows = Object.values(files).reduce((sum, file) => sum + (file.rows ?? 0), 0);
  if (rows === 0) return `no table has rows (${status}: ${error?.message ?? ''})`;
  const left = readdirSync(folder).filter((name) => /^live|^\.rec|\.tmp$|lock$/.test(name));
  return left.length > 0 ? `left behind: ${left.join(', ')}` : undefined;
}
