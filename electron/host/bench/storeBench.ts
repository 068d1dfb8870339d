import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { samplesTable } from '../../../workloads/run/tables.ts';
import type { StreamBatch } from '../../shared/stream/message.ts';
import { BundleWriter } from '../store/bundleWriter.ts';
import { parquetSource } from '../store/duckdb.ts';
import { seriesOf, sourcesOf } from '../store/runQueries.ts';

/** Figures of the store beside their budgets: `node electron/host/bench/run.mjs [rows]`. */
const rows = Number(process.argv[2] ?? 10_000_000);
const batchRows = 8192;
const sources = ['cluster', ...Array.from({ length: 8 }, (_, i) => `instance:${i}`)];
const metrics = ['ttft_ms.p50', 'ttft_ms.p95', 'queue_depth', 'running', 'kv_used', 'output_tokens_per_s'];

const say = (what: string, figure: string, budget: string) =>
  process.stdout.write(`${what.padEnd(46)} ${figure.padStart(16)}   budget ${budget}\n`);

function batch(start: number): StreamBatch {
  const n = Math.min(batchRows, rows - start);
  const pairs = sources.length * metrics.length;
  return {
    kind: 'batch',
    schema: samplesTable,
    rows: n,
    columns: [
      new Int32Array(n),
      Float64Array.from({ length: n }, (_, i) => Math.floor((start + i) / pairs) * 1e7),
      { codes: Int32Array.from({ length: n }, (_, i) => (start + i) % sources.length), dictionary: sources },
      {
        codes: Int32Array.from(
          { length: n },
          (_, i) => Math.floor((start + i) / sources.length) % metrics.length,
        ),
        dictionary: metrics,
      },
      Float64Array.from({ length: n }, (_, i) => Math.sin((start + i) / 1000)),
    ],
  };
}

const folder = mkdtempSync(join(tmpdir(), 'dyno-store-'));
writeFileSync(join(folder, 'manifest.json'), '{}');
try {
  const batches = Array.from({ length: Math.ceil(rows / batchRows) }, (_, i) => batch(i * batchRows));
  const writer = await BundleWriter.create(folder, (error) => {
    throw error;
  });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let begin = performance.now();
  const cpu = process.cpuUsage();
  for (const one of batches) {
    writer.append(one);
    if (writer.isBehind) await writer.whenCaughtUp();
  }
  await writer.commit();
  const inMs = performance.now() - begin;
  const used = process.cpuUsage(cpu);
  delay.disable();
  say('rows in (samples, committed)', `${(rows / inMs / 1000).toFixed(2)} M rows/s`, '≥ 1 M rows/s');
  say('  CPU time of it, all threads', `${((used.user + used.system) / 1e6).toFixed(2)} s`, '–');
  say(
    'host loop delay meanwhile, p99 / max',
    `${(delay.percentile(99) / 1e6).toFixed(1)} / ${(delay.max / 1e6).toFixed(1)} ms`,
    '≤ 20 ms',
  );
  begin = performance.now();
  await writer.export();
  say('export to Parquet', `${((performance.now() - begin) / 1000).toFixed(2)} s`, '–');
  writer.close({ remove: true });

  const source = await parquetSource(join(folder, 'samples.parquet'));
  delay.reset();
  delay.enable();
  begin = performance.now();
  const found = await sourcesOf(source);
  const sourcesMs = performance.now() - begin;
  begin = performance.now();
  await seriesOf(source, { series: found.slice(0, 6), width: 2000, iteration: 0 });
  const sixMs = performance.now() - begin;
  begin = performance.now();
  await seriesOf(source, { series: found, width: 2000, iteration: 0 });
  const allMs = performance.now() - begin;
  delay.disable();
  say(`sources of ${rows} samples`, `${sourcesMs.toFixed(0)} ms`, '–');
  say('6 series at 2,000 px', `${sixMs.toFixed(0)} ms`, '–');
  say(`all ${found.length} series at 2,000 px`, `${allMs.toFixed(0)} ms`, '–');
  say('open: sources and every series', `${(sourcesMs + allMs).toFixed(0)} ms`, '≤ 1,000 ms at 10 M samples');
  say('host loop delay while reading, max', `${(delay.max / 1e6).toFixed(1)} ms`, '≤ 20 ms');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
