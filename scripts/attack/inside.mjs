import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { out, root } from '../project.mjs';

/** Entries in TypeScript are bundled like the tests do it. @param {string} entry @param {string} name */
export async function bundled(entry, name) {
  const { build } = await import('rolldown');
  const folder = join(root, 'node_modules/.cache/dyno-attack', String(process.pid));
  mkdirSync(folder, { recursive: true });
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, name);
  await build({
    input: join(root, entry),
    external: [/^node:/, ...builtinModules, 'electron', /^@duckdb\//, /\.node$/],
    platform: 'node',
    transform: { target: 'node20' },
    logLevel: 'silent',
    output: { file, format: 'esm', codeSplitting: false },
  });
  return file;
}

/**
 * @param {Pick<import('./attackTable.mjs').AttackTable, 'line' | 'figure' | 'note'>} table
 * @param {'mutate' | 'soak'} what
 * @param {number} count
 */
export async function attackInside(table, what, count) {
  const seed = Number(process.env['DYNO_ATTACK_SEED'] ?? Date.now() % 1_000_000);
  const second = what === 'mutate' ? String(seed) : join(out, 'runner.mjs');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--expose-gc',
      await bundled('electron/host/testing/attackEntry.ts', 'attack.mjs'),
      what,
      String(count),
      second,
    ],
    { maxBuffer: 64 * 2 ** 20, timeout: 4 * 3600_000 },
  );
  const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}');
  if (what === 'mutate') tellMutations(table, result, seed);
  else tellSoak(table, result, count);
}

/** @param {Pick<import('./attackTable.mjs').AttackTable, 'line' | 'note'>} table @param {any} result @param {number} seed */
function tellMutations(table, { counts, examples }, seed) {
  for (const [name, found] of Object.entries(counts)) {
    const { accepted, refused, internal, unclear, slow } = /** @type {any} */ (found);
    table.line(
      `mutated: ${name} (seed ${seed})`,
      `${accepted} read, ${refused} refused in a line`,
      internal + unclear + slow === 0
        ? '0 internal, 0 hangs'
        : `${internal} internal, ${unclear} unclear, ${slow} slow`,
      internal + unclear + slow === 0,
    );
  }
  for (const example of examples) table.note(example);
}

/** @param {Pick<import('./attackTable.mjs').AttackTable, 'line' | 'figure'>} table @param {any} result @param {number} count */
function tellSoak(table, { samples }, count) {
  // The first tenth loads libraries and fills caches.
  const [first] = samples.slice(1);
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return;
  table.line(
    `soak: ${count} runs by one host, descriptors`,
    `${first.descriptors} → ${last.descriptors}`,
    'flat',
    last.descriptors <= first.descriptors + 8,
  );
  const mib = (/** @type {number} */ bytes) => Math.round(bytes / 2 ** 20);
  // What is still referred to after a collection: growth here is a leak. RSS also counts what allocators keep for the next run.
  const perRun = (last.heap - first.heap) / Math.max(1, last.runs - first.runs);
  table.line(
    `soak: ${count} runs by one host, memory in use`,
    `${mib(first.heap)} → ${mib(last.heap)} MiB (${(perRun / 1024).toFixed(1)} KiB a run)`,
    'flat (< 10 KiB a run)',
    perRun < 10 * 1024,
  );
  const all = samples.map((/** @type {any} */ sample) => mib(sample.rss)).join(', ');
  table.figure(`soak: ${count} runs by one host, RSS by tenths`, `${all} MiB`, 'flat in the second half');
}
