import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { out } from '../project.mjs';

/**
 * A history of many bundles: the first listing, and the next ones from the index file.
 * @param {import('./attackTable.mjs').AttackTable} table
 * @param {number} count
 */
export async function attackScale(table, count) {
  const home = mkdtempSync(join(tmpdir(), 'dyno-scale-'));
  try {
    const runs = fillHistory(home, count);
    const first = dyno(home, ['runs']);
    const again = dyno(home, ['runs']);
    rmSync(join(runs, '.index.json'));
    writeFileSync(join(runs, '.index.json'), 'torn');
    const torn = dyno(home, ['runs', '--json', '--limit', String(count + 1)]);
    const listed = JSON.parse(torn.stdout).runs.length;
    table.line(
      `history of ${count} bundles, all listed after the index file was torn`,
      `${listed} of ${count + 1}`,
      'all',
      listed === count + 1,
    );
    table.figure(`dyno runs, ${count} bundles, without the index file`, ms(first.ms), '–');
    table.figure(`dyno runs, ${count} bundles`, `${ms(again.ms)} (${ms(again.cpuMs)} of CPU)`, '≤ 0.5 s');
    table.figure(`dyno runs, ${count} bundles, memory`, `${Math.round(again.rss / 1024)} MiB`, '≤ 300 MiB');
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/**
 * One run, and so many copies of its manifest and summary. Returns the folder of the runs.
 * @param {string} home
 * @param {number} count
 */
export function fillHistory(home, count) {
  dyno(home, ['run', 'labs/dynamic_router:dynamic_router', '--set', 'requests=50']);
  const runs = join(home, 'runs');
  const [seed = ''] = readdirSync(runs).filter((name) => !name.startsWith('.'));
  const manifest = JSON.parse(readFileSync(join(runs, seed, 'manifest.json'), 'utf8'));
  for (let i = 0; i < count; i++) {
    const run = `20260101-${String(i).padStart(6, '0')}-copy`;
    mkdirSync(join(runs, run));
    writeFileSync(join(runs, run, 'manifest.json'), JSON.stringify({ ...manifest, run, group: run }));
    copyFileSync(join(runs, seed, 'summary.json'), join(runs, run, 'summary.json'));
  }
  return runs;
}

const ms = (/** @type {number} */ value) => `${(value / 1000).toFixed(2)} s`;

/** @param {string} home @param {readonly string[]} args */
function dyno(home, args) {
  // Its own resource usage goes to descriptor 3: nothing of the machine's other work is in it.
  const code = `process.on('exit', () => { const u = process.resourceUsage(); require('node:fs').writeSync(3, JSON.stringify([u.maxRSS, (u.userCPUTime + u.systemCPUTime) / 1000])); });`;
  const preload = join(home, 'usage.cjs');
  writeFileSync(preload, code);
  const begin = performance.now();
  const { stdout, output, status, stderr } = spawnSync(
    process.execPath,
    ['-r', preload, join(out, 'cli.mjs'), ...args],
    {
      env: { ...process.env, DYNO_HOME: home },
      encoding: 'utf8',
      maxBuffer: 512 * 2 ** 20,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    },
  );
  const took = performance.now() - begin;
  if (status !== 0) throw new Error(`dyno ${args.join(' ')}: ${stderr}`);
  const [rss, cpuMs] = JSON.parse(output[3] ?? '[0, 0]');
  return { stdout, ms: took, rss, cpuMs };
}
