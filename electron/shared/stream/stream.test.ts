import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Batch,
  type Column,
  type ColumnData,
  type ColumnType,
  samplesTable,
} from '../../../workloads/run/tables.ts';
import { StreamDecoder } from './decoder.ts';
import { StreamEncoder } from './encoder.ts';
import { StreamError } from './frame.ts';
import type { StreamBatch, StreamMessage } from './message.ts';

const types: readonly ColumnType[] = ['float64', 'ns', 'int32', 'bool', 'text'];

const dataOf = (type: ColumnType, rows: number): fc.Arbitrary<ColumnData> => {
  const of = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: rows, maxLength: rows + 3 });
  switch (type) {
    case 'float64':
      return of(fc.double()).map((values) => Float64Array.from(values));
    case 'ns':
      return of(fc.oneof(fc.maxSafeNat(), fc.constant(Number.NaN))).map((v) => Float64Array.from(v));
    case 'int32':
      return of(fc.integer()).map((values) => Int32Array.from(values));
    case 'bool':
      return of(fc.nat(2)).map((values) => Uint8Array.from(values));
    case 'text':
      return of(fc.string({ unit: 'grapheme', maxLength: 5 }));
  }
};

const batches: fc.Arbitrary<Batch> = fc
  .tuple(fc.nat(40), fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 6 }))
  .chain(([rows, columnTypes]) => {
    const columns: Column[] = columnTypes.map((type, i) => ({ name: `c${i}`, type, unit: '', meaning: 'µ' }));
    return fc
      .tuple(...columnTypes.map((type) => dataOf(type, rows)))
      .map((data): Batch => ({ schema: { name: 'samples', columns }, rows, data }));
  });

const plain = (batch: StreamBatch | Batch): unknown[] =>
  ('columns' in batch ? batch.columns : batch.data).map((column) =>
    'codes' in column
      ? Array.from(column.codes, (code) => column.dictionary[code])
      : [...column].slice(0, batch.rows),
  );

describe('the event stream', () => {
  test('any batches come out as they went in, cut into any chunks', () => {
    fc.assert(
      fc.property(fc.array(batches, { maxLength: 4 }), fc.integer({ min: 1, max: 200 }), (list, cut) => {
        const encoder = new StreamEncoder();
        const bytes = Buffer.concat(list.flatMap((batch) => encoder.batch(batch)));
        const decoder = new StreamDecoder();
        const found: StreamMessage[] = [];
        for (let at = 0; at < bytes.length; at += cut)
          decoder.push(bytes.subarray(at, at + cut), (message) => found.push(message));
        expect(decoder.end()).toBe(0);
        expect(found.map((m) => (m.kind === 'batch' ? plain(m) : m))).toEqual(list.map(plain));
      }),
      { numRuns: 60 },
    );
  });

  test('of a stream that breaks off, every whole message is kept', () => {
    const encoder = new StreamEncoder();
    const batch: Batch = {
      schema: samplesTable,
      rows: 2,
      data: [
        Int32Array.of(0, 0),
        Float64Array.of(1, 2),
        ['cluster', 'pool:decode'],
        ['ttft_ms.p50', 'ttft_ms.p50'],
        Float64Array.of(3.5, Number.NaN),
      ],
    };
    const frames = [
      encoder.message({ kind: 'log', level: 'info', message: 'naïve …', time_ns: 5 }),
      ...encoder.batch(batch),
      encoder.message({ kind: 'progress', phase: 'running', done: 1, total: 2, clock_ns: 3 }),
    ];
    const bytes = Buffer.concat(frames);
    for (let length = 0; length <= bytes.length; length++) {
      const decoder = new StreamDecoder();
      const kinds: string[] = [];
      decoder.push(bytes.subarray(0, length), (message) => kinds.push(message.kind));
      expect(['log', 'batch', 'progress'].slice(0, kinds.length)).toEqual(kinds);
      if (length === bytes.length) expect([kinds.length, decoder.end()]).toEqual([3, 0]);
    }
  });

  test('bytes of something else are refused', () => {
    const decoder = new StreamDecoder();
    expect(() => decoder.push(Buffer.from('Segmentation fault'), () => undefined)).toThrow(StreamError);
  });

  test('a column shorter than its batch is refused before it goes out', () => {
    const short: Batch = { schema: samplesTable, rows: 3, data: [new Int32Array(2)] };
    expect(() => new StreamEncoder().batch(short)).toThrow('iteration has 2 values, expected 3');
  });
});
