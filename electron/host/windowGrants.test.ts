import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WindowGrants } from './grants.ts';
import { Host } from './host.ts';
import { writeManifest } from './store/manifest.ts';
import { bundleEntry } from './testing/bundleEntry.ts';
import { sealByHand, writeTables } from './testing/handMadeBundle.ts';
import { manifestOf } from './testing/leftBehind.ts';
import { testSpec } from './testing/testSpec.ts';

// The requests that a compromised window may make on the host's port.
let home: string;
let host: Host;
let grants: WindowGrants;
let client: ReturnType<Host['connect']>;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'dyno-grants-'));
  const folder = join(home, 'runs', 'run');
  mkdirSync(folder, { recursive: true });
  await writeManifest(folder, manifestOf('run', { status: 'done' }));
  await writeTables(folder, [{ table: 'log', columns: 'time_ns, level, message', rows: "(1, 'info', 'x')" }]);
  await sealByHand(folder);
  host = new Host({
    runsFolder: join(home, 'runs'),
    runnerEntry: join(home, 'none.mjs'),
    moduleUrl: import.meta.url,
    nativeFolder: join(home, 'none'),
  });
  grants = new WindowGrants();
  client = host.connect(() => undefined, grants);
});
afterEach(async () => {
  await host.close();
  rmSync(home, { recursive: true, force: true });
});

const call = (method: string, params: unknown) => host.call(client, method, params);
const secret = () => {
  const path = join(home, 'secret');
  writeFileSync(path, 'root:x:0:0:the secret\n');
  return path;
};
const trace = (path: string) => ({ kind: 'trace' as const, path, format: 'mooncake' as const, speedup: 1 });

describe('a window', () => {
  test('writes nowhere that no dialog gave', async () => {
    const path = join(home, 'stolen.csv');
    for (const [method, params] of [
      ['runs.export', { run: 'run', format: 'csv', table: 'log', path }],
      ['runs.report', { baseline: 'run', optimized: 'run', path }],
      ['captures.export', { capture: 'x', path }],
      ['runs.export', { run: 'run', format: 'bundle', path: `grant-${'0'.repeat(32)}` }],
    ] as const)
      await expect(call(method, params)).rejects.toThrow('refused');
    expect(existsSync(path)).toBe(false);
  });

  test('writes what a dialog gave, and the grant may come a moment later', async () => {
    const path = join(home, 'kept.csv');
    const grant = `grant-${'a'.repeat(32)}`;
    const written = call('runs.export', { run: 'run', format: 'csv', table: 'log', path: grant });
    grants.admit({ kind: 'grant', access: 'write', grant, path });
    expect(await written).toMatchObject({ path });
    expect(existsSync(path)).toBe(true);
  });

  test('reads no file that was not opened', async () => {
    const path = secret();
    const spec = testSpec({ traffic: trace(path) });
    for (const [method, params] of [
      ['traffic.preview', { traffic: trace(path), seed: 1, bins: 20 }],
      ['runs.start', { title: 'x', specs: [spec], pace: 'max' }],
      ['roofline.ceilings', { path }],
      ['captures.open', { path }],
    ] as const)
      await expect(call(method, params)).rejects.toThrow('refused');
  });

  test('is told nothing of the contents of an opened file that is no trace', async () => {
    const path = secret();
    grants.admit({ kind: 'grant', access: 'read', path });
    // Traces are read by the runner's file, in a thread of the host.
    const reading = new Host({
      runsFolder: join(home, 'runs'),
      runnerEntry: await bundleEntry('electron/runner/main.ts', 'runner.mjs'),
      moduleUrl: import.meta.url,
      nativeFolder: join(home, 'none'),
    });
    const own = reading.connect(() => undefined, grants);
    const refused = await reading
      .call(own, 'traffic.preview', { traffic: trace(path), seed: 1, bins: 20 })
      .catch((thrown: unknown) => thrown)
      .finally(() => reading.close());
    expect(refused).toBeInstanceOf(Error);
    expect(String(refused)).toContain(path);
    expect(String(refused)).not.toMatch(/root|the secret/);
  });

  test('exports nothing of a damaged bundle, and no file that a link in it leads to', async () => {
    const table = join(home, 'runs', 'run', 'log.parquet');
    const bytes = readFileSync(table);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(table, bytes);
    const grant = `grant-${'c'.repeat(32)}`;
    const path = join(home, 'out');
    grants.admit({ kind: 'grant', access: 'write', grant, path });
    const csv = { run: 'run', format: 'csv', table: 'log', path: grant };
    const bundle = { run: 'run', format: 'bundle', path: grant };
    for (const params of [csv, bundle])
      await expect(call('runs.export', params)).rejects.toThrow(/log\.parquet: damaged/);
    rmSync(table);
    symlinkSync(secret(), table);
    for (const params of [csv, bundle])
      await expect(call('runs.export', params)).rejects.toThrow(/log\.parquet: damaged/);
    expect(existsSync(path)).toBe(false);
  });

  test('names tables from a list only', async () => {
    const grant = `grant-${'b'.repeat(32)}`;
    grants.admit({ kind: 'grant', access: 'write', grant, path: join(home, 'out.csv') });
    for (const table of ['../../other', 'log"; DROP TABLE log; --', 'passwd'])
      await expect(call('runs.export', { run: 'run', format: 'csv', table, path: grant })).rejects.toThrow(
        'table',
      );
  });

  test.each([
    ['runs.annotate', { run: 'run', note: 'x'.repeat(100_000_000) }],
    ['runs.annotate', { run: 'run', note: 'x'.repeat(20_001) }],
    ['runs.annotate', { run: 'run', tags: ['x'.repeat(101)] }],
    ['runs.start', { title: 'x'.repeat(501), specs: [testSpec()], pace: 'max' }],
    ['runs.rows', { run: 'run', table: 'log', order: 'x'.repeat(201) }],
  ])('says %s with texts that are too long in vain', async (method, params) => {
    await expect(call(method, params)).rejects.toMatchObject({ error: { code: 'bad_input' } });
  });
});
