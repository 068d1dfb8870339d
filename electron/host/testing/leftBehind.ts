import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { requestsTable, samplesTable } from '../../../workloads/run/tables.ts';
import type { StreamBatch } from '../../shared/stream/message.ts';
import { BundleWriter } from '../store/bundleWriter.ts';
import { type Manifest, writeManifest } from '../store/manifest.ts';
import { testSpec } from './testSpec.ts';

export function samples(rows: number): StreamBatch {
  const index = Array.from({ length: rows }, (_, i) => i);
  return {
    kind: 'batch',
    schema: samplesTable,
    rows,
    columns: [
      new Int32Array(rows),
      Float64Array.from(index, (i) => i * 1e6),
      { codes: new Int32Array(rows), dictionary: ['cluster'] },
      { codes: new Int32Array(rows), dictionary: ['queue_depth'] },
      Float64Array.from(index, (i) => i),
    ],
  };
}

export function requests(rows: number): StreamBatch {
  const columns = requestsTable.columns.map(({ name, type }): StreamBatch['columns'][number] => {
    if (type === 'text') return { codes: new Int32Array(rows), dictionary: ['completed'] };
    if (type === 'bool') return new Uint8Array(rows);
    if (type === 'int32') return Int32Array.from({ length: rows }, (_, i) => (name === 'request' ? i : 0));
    return Float64Array.from({ length: rows }, (_, i) => i);
  });
  return { kind: 'batch', schema: requestsTable, rows, columns };
}

export const manifestOf = (run: string, extra: Partial<Manifest> = {}): Manifest => ({
  schema: 1,
  run,
  group: run,
  title: 'left behind',
  status: 'running',
  spec: testSpec(),
  started: '2026-11-21T10:00:00.000Z',
  versions: {},
  hardware: { cpu: 'x', cores: 1, memory_bytes: 1, gpus: [] },
  tags: [],
  note: '',
  files: {},
  ...extra,
});

/** Makes the files of a host that was killed during a run: a manifest that says `running`, and a database with its WAL. */
export async function leaveBehind(runs: string, run: string, rows = 5000): Promise<string> {
  const folder = join(runs, run);
  mkdirSync(folder, { recursive: true });
  await writeManifest(folder, manifestOf(run));
  const writer = await BundleWriter.create(folder, (error) => {
    throw error;
  });
  writer.append(samples(rows));
  writer.append(requests(rows));
  await writer.commit();
  writer.close({ remove: false });
  return folder;
}
