import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runSpec } from '../../../workloads/run/spec.ts';
import { readAzure } from '../../../workloads/traffic/azureReader.ts';
import { readMooncake } from '../../../workloads/traffic/mooncakeReader.ts';
import { type HostMethod, hostMethods } from '../../contract/protocol.ts';
import { readJson } from '../../shared/openFile.ts';
import { StreamDecoder } from '../../shared/stream/decoder.ts';
import { StreamEncoder } from '../../shared/stream/encoder.ts';
import { WindowGrants } from '../grants.ts';
import { Host } from '../host.ts';
import { bundleTable } from '../store/bundleTable.ts';
import { query } from '../store/duckdb.ts';
import { parseManifest, readManifest, writeManifest } from '../store/manifest.ts';
import { RunIndex } from '../store/runIndex.ts';
import { describeFiles } from '../store/seal.ts';
import { sealByHand, writeTables } from './handMadeBundle.ts';
import { manifestOf } from './leftBehind.ts';
import { mutatedBytes, mutatedJson, mutatedValue, type Random } from './mutate.ts';
import { testSpec } from './testSpec.ts';

/** Something that takes input from outside, and mutations of what it usually takes. */
export interface MutationTarget {
  readonly name: string;
  mutated(random: Random): unknown;
  take(input: unknown): Promise<unknown> | unknown;
  close?(): Promise<void>;
}

async function* oneChunk(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

const asBytes = (input: unknown): Uint8Array => (input instanceof Uint8Array ? input : new Uint8Array());

/** Every parser and message of the host; `home` is theirs. */
export async function mutationTargets(home: string): Promise<readonly MutationTarget[]> {
  const runs = join(home, 'runs');
  const run = join(runs, 'bundle');
  mkdirSync(run, { recursive: true });
  await writeManifest(run, manifestOf('bundle', { status: 'done' }));
  await writeTables(run, [
    { table: 'log', columns: 'time_ns, level, message', rows: "(1, 'info', 'x'), (2, 'warning', 'y')" },
  ]);
  await sealByHand(run);
  const parquet = readFileSync(join(run, 'log.parquet'));
  const mooncake = Buffer.from(
    Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({ timestamp: i * 10, input_length: 1000, output_length: 5, hash_ids: [0, i + 1] }),
    ).join('\n'),
  );
  const azure = Buffer.from(
    `TIMESTAMP,ContextTokens,GeneratedTokens\n${Array.from({ length: 20 }, (_, i) => `2023-11-16 18:17:${10 + i}.5,${100 + i},10`).join('\n')}\n`,
  );
  const encoder = new StreamEncoder();
  const frames = Buffer.concat([
    encoder.message({ kind: 'log', level: 'info', message: 'x', time_ns: 1 }),
    encoder.message({ kind: 'progress', phase: 'running', done: 1, total: 2, clock_ns: 3 }),
  ]);
  return [
    {
      name: 'manifest.json',
      mutated: (random) => mutatedJson(random, manifestOf('r')),
      take: (input) => parseManifest(String(input)),
    },
    {
      name: 'summary.json, in a listing',
      mutated: (random) =>
        mutatedJson(random, {
          metrics: { ttft_ms: { p50: 1, p95: 2 } },
          requests: { arrived: 3 },
          goodput_rps: 1,
        }),
      take: async (input) => {
        writeFileSync(join(run, 'summary.json'), String(input));
        const { unreadable } = await new RunIndex(runs).list();
        for (const { reason } of unreadable) if (reason.includes('\n')) throw new Error(reason);
      },
    },
    {
      name: 'index file',
      mutated: (random) =>
        mutatedBytes(random, Buffer.from('{"version":1,"sha256":"00"}\n[["a",{"stamp":"x"}]]')),
      take: async (input) => {
        writeFileSync(join(runs, '.index.json'), asBytes(input));
        await new RunIndex(runs).list();
      },
    },
    {
      name: 'run spec',
      mutated: (random) => mutatedJson(random, testSpec()),
      take: (input) => {
        const path = join(home, 'spec.json');
        writeFileSync(path, String(input) || ' ');
        runSpec.safeParse(readJson(path, 'a run spec (JSON)'));
      },
    },
    {
      name: 'Mooncake trace',
      mutated: (random) => mutatedBytes(random, mooncake),
      take: (input) => readMooncake('trace', oneChunk(asBytes(input))),
    },
    {
      name: 'Azure trace',
      mutated: (random) => mutatedBytes(random, azure),
      take: (input) => readAzure('trace', oneChunk(asBytes(input))),
    },
    {
      name: 'event stream',
      mutated: (random) => mutatedBytes(random, frames),
      take: (input) => {
        const decoder = new StreamDecoder();
        decoder.push(asBytes(input), () => undefined);
        decoder.end();
      },
    },
    {
      // Sealed again after the change: the checksum is right, the file is not.
      name: 'Parquet with a right checksum',
      mutated: (random) => mutatedBytes(random, parquet),
      take: async (input) => {
        writeFileSync(join(run, 'log.parquet'), asBytes(input));
        const manifest = await readManifest(run);
        const files = await describeFiles(run).catch(() => undefined);
        if (files === undefined) return;
        const source = await bundleTable(run, { ...manifest, files }, 'log');
        // What remains are values inside of a page: they are what the writer of the checksum meant.
        if (source !== undefined)
          await query(source.instance, `SELECT * FROM ${source.from}`).catch(() => undefined);
      },
    },
    messages(home),
  ];
}

/** Messages as a window sends them: any method, with parameters that are nearly right. */
function messages(home: string): MutationTarget {
  const host = new Host({
    runsFolder: join(home, 'host', 'runs'),
    runnerEntry: join(home, 'no-runner.mjs'),
    moduleUrl: import.meta.url,
    nativeFolder: join(home, 'no-native'),
  });
  const client = host.connect(() => undefined, new WindowGrants());
  const parameters: Partial<Record<HostMethod, object>> = {
    'runs.export': { run: 'r', format: 'csv', table: 'requests', path: '/tmp/pwned.csv' },
    'runs.report': { baseline: 'a', optimized: 'b', path: '/tmp/pwned.html' },
    'runs.rows': { run: 'r', table: 'requests', filter: [{ column: 'x', op: '=', value: 1 }], order: '-x' },
    'runs.annotate': { run: 'r', tags: ['a'], note: 'b' },
    'runs.series': { run: 'r', series: [{ source: 'a', metric: 'b' }], width: 100 },
    'runs.cdf': { run: 'r', metric: 'ttft_ms', points: 20 },
    'runs.open': { run: 'r' },
    'runs.delete': { runs: ['r'] },
    'runs.compare': { baseline: 'a', optimized: 'b' },
    'traffic.preview': {
      traffic: { kind: 'trace', path: '/etc/hostname', format: 'mooncake', speedup: 1 },
      seed: 1,
      bins: 20,
    },
    'live.watch': { run: 'r' },
    'live.ack': { frame: 1 },
    'jobs.cancel': { job: 'j' },
    'captures.open': { path: '/etc/hostname' },
    'captures.export': { capture: 'c', path: '/tmp/pwned.json' },
    'roofline.ceilings': { path: '/etc/hostname' },
    'sweeps.read': { sweep: 's' },
  };
  const methods = Object.keys(parameters).filter((method): method is HostMethod => method in hostMethods);
  return {
    name: 'messages to the host',
    mutated: (random) => {
      const method = methods[Math.floor(random() * methods.length)] ?? 'runs.open';
      return {
        method: random() < 0.05 ? 'toString' : method,
        params: random() < 0.2 ? parameters[method] : mutatedValue(random, parameters[method]),
      };
    },
    take: (input) => {
      const { method, params } = input as { readonly method: string; readonly params: unknown };
      return host.call(client, method, params);
    },
    close: () => host.close(),
  };
}
