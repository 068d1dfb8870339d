import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { absentInt32, type Column, type TableSchema } from '../../../workloads/run/tables.ts';
import type { StreamBatch } from '../../shared/stream/message.ts';
import { BundleWriter } from './bundleWriter.ts';
import { parquetSource, query } from './duckdb.ts';

const column = (name: string, type: Column['type']): Column => ({ name, type, unit: '', meaning: '' });
const schema: TableSchema = {
  name: 'decisions',
  columns: [
    column('score', 'float64'),
    column('time_ns', 'ns'),
    column('instance', 'int32'),
    column('chosen', 'bool'),
    column('stage', 'text'),
  ],
};
const words = ['', 'a', 'twelve bytes', 'thirteen byte', 'naïve Straße 東京', `long ${'x'.repeat(300)}`];

function batch(rows: number, start: number): StreamBatch {
  const index = Array.from({ length: rows }, (_, i) => start + i);
  return {
    kind: 'batch',
    schema,
    rows,
    columns: [
      Float64Array.from(index, (i) => (i % 7 === 0 ? Number.NaN : i / 3)),
      // 2^53 − 1 and 0 and what lies around 2^32 are the edges of the split into halves.
      Float64Array.from(index, (i) =>
        i % 11 === 0 ? Number.NaN : ([0, 1, 4294967295, 4294967296, Number.MAX_SAFE_INTEGER, -5][i % 6] ?? 0),
      ),
      Int32Array.from(index, (i) => (i % 5 === 0 ? absentInt32 : -i)),
      Uint8Array.from(index, (i) => i % 3),
      { codes: Int32Array.from(index, (i) => i % words.length), dictionary: words },
    ],
  };
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-rows-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('every value of every column type is read back from Parquet, absent ones as NULL', async () => {
  const writer = await BundleWriter.create(folder, (error) => {
    throw error;
  });
  const sizes = [1, 2047, 2048, 2049, 5000, 63, 64, 65];
  let start = 0;
  for (const size of sizes) {
    writer.append(batch(size, start));
    start += size;
  }
  await writer.export();
  writer.close({ remove: true });

  const { instance, from } = await parquetSource(join(folder, 'decisions.parquet'));
  const found = await query(instance, `SELECT score, time_ns, instance, chosen, stage FROM ${from}`);
  expect(found.rows).toBe(start);
  const expected = batch(start, 0);
  const absent = { float64: Number.NaN, ns: Number.NaN, int32: absentInt32, bool: 2, text: '' };
  schema.columns.forEach(({ type }, c) => {
    const data = expected.columns[c];
    const given = Array.from({ length: start }, (_, i) => {
      const value =
        data === undefined ? undefined : 'codes' in data ? data.dictionary[data.codes[i] ?? 0] : data[i];
      if (Object.is(value, absent[type])) return null;
      return type === 'ns' ? BigInt(value ?? 0) : type === 'bool' ? value === 1 : value;
    });
    expect(found.values[c]).toEqual(given);
  });
});

test('a query on a running bundle sees what was committed', async () => {
  const writer = await BundleWriter.create(folder, (error) => {
    throw error;
  });
  writer.append(batch(3000, 0));
  await writer.commit();
  const count = await query(writer.instance, 'SELECT count(*)::DOUBLE AS n FROM decisions');
  expect(count.values[0]).toEqual([3000]);
  writer.close({ remove: true });
});
