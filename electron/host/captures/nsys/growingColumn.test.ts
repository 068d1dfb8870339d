import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GrowingColumn, rowsById, sortedColumns } from './growingColumn.ts';

const columnOf = (values: readonly number[]): GrowingColumn => {
  const column = new GrowingColumn();
  for (const value of values) column.push(value);
  return column;
};

it.each([0, 1, 255, 256, 257, 65_536, 65_537, 200_000])('%d values come out as they went in, once', (n) => {
  const values = Array.from({ length: n }, (_, i) => i * 3);
  const column = columnOf(values);
  expect(column.length).toBe(n);
  if (n > 0) expect(column.at(n - 1)).toBe((n - 1) * 3);
  expect(column.finish()).toEqual(Float64Array.from(values));
  expect(column.length).toBe(0);
});

it('columns are sorted by start and end, equal rows as they were', () => {
  const rows = fc.array(fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 5 })), { maxLength: 60 });
  fc.assert(
    fc.property(rows, fc.boolean(), (pairs, longestFirst) => {
      const columns = [pairs.map(([start]) => start), pairs.map(([, end]) => end), pairs.map((_, i) => i)];
      const right = pairs
        .map(([start, end], i) => [start, end, i] as const)
        .sort((a, b) => a[0] - b[0] || (longestFirst ? -1 : 1) * (a[1] - b[1]) || a[2] - b[2]);
      expect(sortedColumns(columns.map(columnOf), longestFirst)).toEqual(
        [0, 1, 2].map((c) => Float64Array.from(right, (row) => row[c] ?? Number.NaN)),
      );
    }),
  );
});

it('the last row of an id is found, whatever the ids are', () => {
  const id = fc.oneof(fc.nat({ max: 50 }), fc.constant(Number.NaN), fc.integer(), fc.double());
  fc.assert(
    fc.property(fc.array(id, { maxLength: 80 }), (ids) => {
      const find = rowsById(Float64Array.from(ids));
      for (const each of [...ids, 7, -1, 2 ** 40])
        expect(find(each)).toBe(
          Number.isNaN(each) || ids.lastIndexOf(each) < 0 ? undefined : ids.lastIndexOf(each),
        );
    }),
  );
});
