import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { bundleEntry } from '../testing/bundleEntry.ts';
import { leaveBehind, manifestOf } from '../testing/leftBehind.ts';
import { bundleTable } from './bundleTable.ts';
import { numbers, query } from './duckdb.ts';
import { readManifest, writeManifest } from './manifest.ts';
import { type Recovered, recoverBundle } from './recovery.ts';
import { RunIndex } from './runIndex.ts';

// Each attempt is a process of its own, and the machine may be loaded.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const rows = 5000;
let entry: string;
let runs: string;
beforeAll(async () => {
  entry = await bundleEntry('electron/host/testing/recoverEntry.ts', 'recover.mjs');
});
beforeEach(() => {
  runs = mkdtempSync(join(tmpdir(), 'dyno-recovery-'));
});
afterEach(() => rmSync(runs, { recursive: true, force: true }));

const outcomeOf = (printed: { readonly stdout: string }): Recovered =>
  JSON.parse(printed.stdout) as Recovered;
/** Recovers in a process of its own, after these shell words: a limit that only it has. */
const elsewhere = (folder: string, limits = '') =>
  promisify(execFile)('bash', ['-c', `${limits} exec "$0" "$@"`, process.execPath, entry, folder]).then(
    outcomeOf,
  );

/** Every file of the bundle with its contents' digest. */
const contents = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ]),
  );

async function countOf(folder: string, table: 'samples' | 'requests'): Promise<number | undefined> {
  const source = await bundleTable(folder, await readManifest(folder), table);
  if (source === undefined) return undefined;
  return numbers(await query(source.instance, `SELECT count(*)::DOUBLE AS n FROM ${source.from}`), 'n')[0];
}

async function expectWhole(folder: string): Promise<void> {
  expect(await countOf(folder, 'samples')).toBe(rows);
  expect(await countOf(folder, 'requests')).toBe(rows);
  const manifest = await readManifest(folder);
  expect(manifest.status).toBe('interrupted');
  expect(manifest.error?.message).not.toContain('could not be read');
  expect(readdirSync(folder).filter((name) => name.startsWith('live.') || name.startsWith('.rec'))).toEqual(
    [],
  );
}

describe('a bundle that was left behind', () => {
  test('is recovered once, however many ask for it at once in one process', async () => {
    const folder = await leaveBehind(runs, 'a', rows);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => recoverBundle(folder)));
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['recovered']));
    await expectWhole(folder);
  });

  test('is recovered once, and loses nothing, when four processes start at once', async () => {
    const folder = await leaveBehind(runs, 'a', rows);
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => elsewhere(folder)));
    expect(outcomes.filter(({ outcome }) => outcome === 'recovered')).toHaveLength(1);
    for (const { outcome } of outcomes) expect(['recovered', 'settled', 'busy']).toContain(outcome);
    await expectWhole(folder);
  }, 60_000);

  test('is left alone while another process has its database open', async () => {
    const folder = await leaveBehind(runs, 'a', rows);
    const holder = spawn(process.execPath, [
      '-e',
      `const { DuckDBInstance } = require('@duckdb/node-api');
       DuckDBInstance.create(${JSON.stringify(join(folder, 'live.duckdb'))}).then((i) => { globalThis.i = i; console.log('open'); setInterval(() => i, 1000); });`,
    ]);
    try {
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      const before = contents(folder);
      expect((await recoverBundle(folder)).outcome).toBe('busy');
      expect(contents(folder)).toEqual(before);
    } finally {
      holder.kill('SIGKILL');
      await new Promise((resolve) => holder.once('exit', resolve));
    }
    expect((await recoverBundle(folder)).outcome).toBe('recovered');
    await expectWhole(folder);
  });

  // bash's `ulimit -f` counts KiB; without the signal a write past it fails like one on a full disk.
  test.runIf(process.platform === 'linux').each([
    ['a full disk', "trap '' XFSZ; ulimit -f 8;"],
    ['too few descriptors', 'ulimit -n 21;'],
    ['still fewer descriptors', 'ulimit -n 18;'],
    ['too little memory', 'ulimit -v 600000;'],
  ])('is untouched after %s, and recovered at the next attempt', async (_what, limits) => {
    const folder = await leaveBehind(runs, 'a', rows);
    const before = contents(folder);
    // With so little the process may not even start: that changes nothing either.
    const outcome = await elsewhere(folder, limits).then(
      (found) => found.outcome,
      () => 'ended',
    );
    // A limit that was just wide enough is no harm.
    if (outcome !== 'recovered') {
      expect(['failed', 'ended', 'busy']).toContain(outcome);
      expect(contents(folder)).toMatchObject(before);
      expect((await recoverBundle(folder)).outcome).toBe('recovered');
    }
    await expectWhole(folder);
  });

  test('keeps the engine’s own outcome and summary where the host died while it sealed', async () => {
    const folder = await leaveBehind(runs, 'a', rows);
    writeFileSync(join(folder, 'summary.json'), '{"throughput_rps": 12}');
    await writeManifest(
      folder,
      manifestOf('a', { sealing: { status: 'done', ended: '2026-11-21T10:01:00.000Z', wall_s: 60 } }),
    );
    expect((await recoverBundle(folder)).outcome).toBe('recovered');
    expect(await readManifest(folder)).toMatchObject({ status: 'done', wall_s: 60 });
    expect(JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'))).toEqual({ throughput_rps: 12 });
    expect(await countOf(folder, 'samples')).toBe(rows);
  });

  test('whose database is really broken keeps it beside what can still be read', async () => {
    const folder = await leaveBehind(runs, 'a', rows);
    writeFileSync(join(folder, 'live.duckdb'), 'no database at all, but long enough to look at'.repeat(500));
    const found = await recoverBundle(folder);
    expect(found).toMatchObject({
      outcome: 'recovered',
      reason: expect.stringContaining('not a valid DuckDB'),
    });
    expect(existsSync(join(folder, 'live.duckdb.unreadable'))).toBe(true);
    expect((await readManifest(folder)).error?.message).toContain('could not be read');
  });
});

test('the history finds what was left behind, and nothing else', async () => {
  const folder = await leaveBehind(runs, 'a', rows);
  await leaveBehind(runs, 'b', 10);
  const index = new RunIndex(runs);
  expect(await index.leftBehind()).toEqual([folder, join(runs, 'b')]);
  await recoverBundle(folder);
  expect(await index.leftBehind()).toEqual([join(runs, 'b')]);
});
