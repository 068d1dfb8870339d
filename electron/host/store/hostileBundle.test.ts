import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sealByHand, writeTables } from '../testing/handMadeBundle.ts';
import { leaveBehind, manifestOf } from '../testing/leftBehind.ts';
import { bundleTable } from './bundleTable.ts';
import { openDatabase, parquetReader, query } from './duckdb.ts';
import { readManifest, writeManifest } from './manifest.ts';
import { recoverBundle } from './recovery.ts';
import { RunIndex } from './runIndex.ts';
import { damageOf } from './verifyFiles.ts';

vi.setConfig({ testTimeout: 60_000 });

let home: string;
let runs: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'dyno-hostile-'));
  runs = join(home, 'runs');
  mkdirSync(runs);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('the SQL of a bundle', () => {
  test('writes nowhere and reads no file: tables of other names and views are left out', async () => {
    const secret = join(home, 'secret.txt');
    writeFileSync(secret, 'the secret');
    const folder = await leaveBehind(runs, 'evil', 10);
    rmSync(join(folder, 'live.duckdb'));
    rmSync(join(folder, 'live.duckdb.wal'));
    const instance = await DuckDBInstance.create(join(folder, 'live.duckdb'));
    const connection = await instance.connect();
    await connection.run(`CREATE TABLE "../../pwned"(a INTEGER)`);
    await connection.run(`CREATE VIEW requests AS SELECT content AS status FROM read_text('${secret}')`);
    await connection.run(`CREATE TABLE log(time_ns BIGINT, level VARCHAR, message VARCHAR, more VARCHAR)`);
    await connection.run(`INSERT INTO log VALUES (1, 'info', 'kept', 'not known')`);
    connection.closeSync();
    instance.closeSync();
    expect((await recoverBundle(folder)).outcome).toBe('recovered');
    expect(readdirSync(folder).filter((name) => name.endsWith('.parquet'))).toEqual(['log.parquet']);
    expect(existsSync(join(home, 'pwned.parquet'))).toBe(false);
    expect(existsSync(join(runs, '..', '..', 'pwned.parquet'))).toBe(false);
    const log = await bundleTable(folder, await readManifest(folder), 'log');
    const found = await query((log ?? (await none())).instance, `SELECT * FROM ${log?.from ?? ''}`);
    expect(found.names).toEqual(['time_ns', 'level', 'message']);
  });

  test.each([
    `SELECT * FROM read_text('/etc/hostname')`,
    `COPY (SELECT 1) TO '/tmp/dyno-pwned.csv'`,
    `ATTACH '/tmp/dyno-pwned.db'`,
    'SET enable_external_access = true',
    'SET threads = 1',
    'INSTALL httpfs',
    `LOAD '/tmp/dyno-pwned.duckdb_extension'`,
  ])('no connection runs %s', async (sql) => {
    await expect(query(await parquetReader(runs), sql)).rejects.toThrow();
    const own = await openDatabase(join(home, 'own.duckdb'), { folders: [runs] });
    await expect(query(own, sql)).rejects.toThrow();
    own.closeSync();
    expect(existsSync('/tmp/dyno-pwned.csv')).toBe(false);
  });
});

describe('a file of a bundle', () => {
  const finished = async () => {
    const folder = join(runs, 'a');
    mkdirSync(folder);
    await writeManifest(folder, manifestOf('a', { status: 'done' }));
    await writeTables(folder, [
      { table: 'log', columns: 'time_ns, level, message', rows: "(1, 'info', 'x')" },
      {
        table: 'samples',
        columns: 'iteration, time_ns, source, metric, value',
        rows: "(0, 1, 's', 'm', 2.5)",
      },
    ]);
    await sealByHand(folder);
    return folder;
  };

  test('with one flipped bit is named in one line; the other tables are read', async () => {
    const folder = await finished();
    const path = join(folder, 'samples.parquet');
    const bytes = readFileSync(path);
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const manifest = await readManifest(folder);
    await expect(bundleTable(folder, manifest, 'samples')).rejects.toThrow(
      `${path}: damaged: its SHA-256 is not the one that was sealed`,
    );
    expect((await damageOf(folder, manifest)).map(({ file }) => file)).toEqual(['samples.parquet']);
    expect(await bundleTable(folder, manifest, 'log')).toBeDefined();
  });

  test('that the manifest does not name, that is a link, or whose columns have other types is not read', async () => {
    const folder = await finished();
    await writeTables(folder, [{ table: 'events', columns: 'time_ns, kind', rows: "(1, 'crash')" }]);
    await expect(bundleTable(folder, await readManifest(folder), 'events')).rejects.toThrow('does not name');
    const elsewhere = join(home, 'elsewhere.parquet');
    writeFileSync(elsewhere, readFileSync(join(folder, 'log.parquet')));
    rmSync(join(folder, 'log.parquet'));
    symlinkSync(elsewhere, join(folder, 'log.parquet'));
    await expect(bundleTable(folder, await readManifest(folder), 'log')).rejects.toThrow(
      'log.parquet: damaged',
    );
    const instance = await openDatabase(':memory:', { folders: [folder] });
    await query(instance, `COPY (SELECT 'x' AS time_ns) TO '${join(folder, 'kv.parquet')}' (FORMAT parquet)`);
    instance.closeSync();
    rmSync(join(folder, 'log.parquet'));
    await sealByHand(folder);
    await expect(bundleTable(folder, await readManifest(folder), 'kv')).rejects.toThrow(
      'column time_ns of table kv is VARCHAR, expected BIGINT',
    );
  });
});

test.each([
  ['nonsense', 'summary.json: damaged: it is not JSON'],
  ['[]', 'summary.json: damaged: it is not an object'],
  ['{"metrics": {"ttft_ms": 7}}', 'summary.json: damaged: metrics.ttft_ms'],
  ['{"requests": null}', 'summary.json: damaged: requests'],
  ['{"kind": "kernel", "variants": null, "verification": null}', 'summary.json: damaged'],
])('a summary of %s damages its own row of the history only', async (text, reason) => {
  for (const run of ['good', 'bad']) {
    mkdirSync(join(runs, run));
    await writeManifest(join(runs, run), manifestOf(run, { status: 'done' }));
  }
  writeFileSync(join(runs, 'bad', 'summary.json'), text);
  const { runs: listed, unreadable } = await new RunIndex(runs).list();
  expect(listed.map(({ run }) => run)).toEqual(['good']);
  expect(unreadable).toEqual([{ folder: join(runs, 'bad'), reason: expect.stringContaining(reason) }]);
});

async function none(): Promise<never> {
  throw new Error('there is no such table');
}
