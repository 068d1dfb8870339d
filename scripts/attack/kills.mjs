import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { out } from '../project.mjs';

export const killKinds = /** @type {const} */ ([
  'runner',
  'host',
  'host at full speed',
  'sealing',
  'recovering',
  'two at once',
]);

/** @typedef {{ readonly cli: string, readonly runner: string }} Programs the built entries */
/** @type {Programs} */
const built = { cli: join(out, 'cli.mjs'), runner: join(out, 'runner.mjs') };

/**
 * Kills, one after another, half of them beside busy cores; after each the bundle must be whole.
 * @param {Pick<import('./attackTable.mjs').AttackTable, 'line' | 'note'>} table
 * @param {number} count
 * @param {readonly (typeof killKinds)[number][]} kinds
 * @param {Programs} programs
 * @param {number} mostLostMs age of the oldest row that may be missing
 */
export async function attackKills(table, count, kinds = killKinds, programs = built, mostLostMs = 1000) {
  const found = new Map(kinds.map((kind) => [kind, { whole: 0, lost: [''].slice(1), lostMs: [0].slice(1) }]));
  for (let i = 0; i < count; i++) {
    const kind = kinds[i % kinds.length] ?? 'host';
    const of = found.get(kind);
    if (of === undefined) continue;
    // Alternates within each kind, whose number may be even.
    const busy = Math.floor(i / kinds.length) % 2 === 1 ? [busyCore(), busyCore()] : [];
    const home = mkdtempSync(join(tmpdir(), 'dyno-kill-'));
    try {
      const killedAt = await kill(home, kind, programs);
      for (const child of busy) child.kill('SIGKILL');
      const { problem, lostMs } = outcomeOf(home, killedAt, programs, mostLostMs);
      if (problem === undefined) of.whole += 1;
      else of.lost.push(problem);
      if (lostMs !== undefined) of.lostMs.push(lostMs);
    } catch (thrown) {
      of.lost.push(thrown instanceof Error ? thrown.message : String(thrown));
    } finally {
      for (const child of busy) child.kill('SIGKILL');
      rmSync(home, { recursive: true, force: true });
    }
  }
  for (const [kind, { whole, lost, lostMs }] of found) {
    const all = whole + lost.length;
    if (all === 0) continue;
    table.line(`kill: ${kind}`, `${whole} of ${all} whole`, 'all', lost.length === 0);
    for (const problem of lost.slice(0, 3)) table.note(problem);
    const sorted = lostMs.sort((a, b) => a - b);
    const most = sorted.at(-1) ?? 0;
    table.line(
      `kill: ${kind}, age of the oldest lost row, median / most`,
      `${Math.round(sorted[sorted.length >> 1] ?? 0)} / ${Math.round(most)} ms`,
      `≤ ${mostLostMs} ms`,
      most <= mostLostMs,
    );
  }
}

const busyCore = () => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });

/** @param {Programs} programs @param {string} home @param {readonly string[]} args */
function dyno({ cli, runner }, home, args) {
  return spawn(process.execPath, [cli, ...args], {
    env: {
      ...process.env,
      DYNO_HOME: home,
      DYNO_RUNNER: join(import.meta.dirname, 'watchedRunner.mjs'),
      DYNO_ATTACK_RUNNER: runner,
      DYNO_ATTACK_SENT: join(home, sentName),
    },
    stdio: 'ignore',
  });
}

const sentName = 'sent.jsonl';

/**
 * Every batch that the runner sent, see watchedRunner.mjs.
 * @param {string} home
 * @returns {{ at: number, table: string, rows: number }[]}
 */
const sentRows = (home) =>
  readFileSync(join(home, sentName), 'utf8')
    .split('\n')
    // The kill may have come in the middle of a line.
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line));

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

/** Starts a run, kills what `kind` says, and returns when, ms since 1970. @param {string} home @param {string} kind @param {Programs} programs */
async function kill(home, kind, programs) {
  const isSealing = kind === 'sealing';
  const isFast = kind === 'host at full speed';
  // A seal comes at full speed; the others are killed in the middle of a run that is played.
  const requests = isSealing ? 20_000 : isFast ? 400_000 : 50_000;
  const child = dyno(programs, home, [
    ...['run', 'labs/dynamic_router:dynamic_router', '--set', `requests=${requests}`],
    ...(isSealing || isFast ? [] : ['--pace', '120']),
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
  } else {
    await until(() => walBytes() > 20_000, 120_000);
    await delay(Math.random() * 1500);
  }
  const killedAt = Date.now();
  if (kind === 'runner') process.kill(runnerOf(child.pid ?? 0), 'SIGKILL');
  else child.kill('SIGKILL');
  await ended(child);
  if (kind === 'recovering') {
    const recovering = dyno(programs, home, ['runs']);
    await Promise.race([
      until(() => existsSync(join(folder(), '.recovering')), 60_000).catch(() => undefined),
      ended(recovering),
    ]);
    await delay(Math.random() * 60);
    recovering.kill('SIGKILL');
    await ended(recovering);
  }
  if (kind === 'two at once')
    await Promise.all([dyno(programs, home, ['runs']), dyno(programs, home, ['runs'])].map(ended));
  return killedAt;
}

/** The process that a host started, by Linux's list of children. @param {number} host */
function runnerOf(host) {
  const children = readFileSync(`/proc/${host}/task/${host}/children`, 'utf8').trim().split(' ');
  const runner = Number(children[0] ?? 0);
  if (!(runner > 0)) throw new Error('the host has no runner');
  return runner;
}

/**
 * What is wrong with the one bundle of this home after the next start, and how old the oldest row was that is missing.
 * @param {string} home
 * @param {number} killedAt
 * @param {Programs} programs
 * @param {number} mostLostMs
 * @returns {{ problem?: string, lostMs?: number }}
 */
function outcomeOf(home, killedAt, { cli }, mostLostMs) {
  const list = () =>
    spawnSync(process.execPath, [cli, 'runs', '--json'], {
      env: { ...process.env, DYNO_HOME: home },
      encoding: 'utf8',
    });
  // The first start recovers while it lists; the second one lists what came of it.
  const listed = list();
  const again = list();
  if (listed.status !== 0 || again.status !== 0)
    return { problem: `dyno runs: ${listed.stderr}${again.stderr}` };
  const { runs, unreadable } = JSON.parse(again.stdout);
  if (runs.length !== 1 || unreadable.length > 0)
    return { problem: `${runs.length} runs, ${JSON.stringify(unreadable)}` };
  const [{ folder, status }] = runs;
  const { files, error } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  if (status === 'running') return { problem: 'still running' };
  if (/could not be read/.test(error?.message ?? '')) return { problem: error.message };
  const left = readdirSync(folder).filter((name) => /^live|^\.rec|\.tmp$|lock$/.test(name));
  if (left.length > 0) return { problem: `left behind: ${left.join(', ')}` };
  const kept = new Map(
    Object.entries(files).map(([name, { rows }]) => [name.replace('.parquet', ''), rows ?? 0]),
  );
  return lossOf(sentRows(home), kept, killedAt, mostLostMs);
}

/**
 * Compares what was sent with what was kept: rows are kept in the order in which they were sent.
 * @param {readonly { at: number, table: string, rows: number }[]} sent
 * @param {ReadonlyMap<string, number>} kept rows per table
 * @param {number} killedAt
 * @param {number} mostLostMs
 * @returns {{ problem?: string, lostMs: number }}
 */
export function lossOf(sent, kept, killedAt, mostLostMs = 1000) {
  const before = new Map();
  let lostMs = 0;
  for (const { at, table, rows } of sent) {
    const have = (before.get(table) ?? 0) + rows;
    before.set(table, have);
    if (have <= (kept.get(table) ?? 0)) continue;
    lostMs = Math.max(lostMs, killedAt - at);
    if (killedAt - at > mostLostMs)
      return {
        problem: `${table}: ${kept.get(table) ?? 0} rows kept, row ${have} was sent ${killedAt - at} ms before the kill`,
        lostMs,
      };
  }
  return before.size === 0 ? { problem: 'the runner sent no row', lostMs } : { lostMs };
}
