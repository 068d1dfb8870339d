import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimate } from './decimate.ts';

const rowsOf = (points: Float64Array): number[][] =>
  Array.from({ length: points.length / 4 }, (_, i) => [...points.subarray(4 * i, 4 * i + 4)]);

describe('decimate', () => {
  it('keeps few samples as they are', () => {
    expect(rowsOf(decimate([0, 1, 2], [5, 7, 6], { width: 100 }))).toEqual([
      [0, 5, 5, 5],
      [1, 7, 7, 7],
      [2, 6, 6, 6],
    ]);
  });

  it('never hides a spike: minima and maxima survive', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 500 }),
        fc.integer({ min: 1, max: 40 }),
        (values, width) => {
          const times = values.map((_, i) => i);
          const rows = rowsOf(decimate(times, values, { width }));
          expect(rows.length).toBeLessThanOrEqual(width);
          expect(Math.min(...rows.map((r) => r[2] ?? 0))).toBe(Math.min(...values));
          expect(Math.max(...rows.map((r) => r[3] ?? 0))).toBe(Math.max(...values));
          expect(rows.at(-1)?.[1]).toBe(values.at(-1));
        },
      ),
    );
  });

  it('draws no line across a pause or an absent value', () => {
    const paused = rowsOf(decimate([0, 1, 2, 50, 51], [1, 1, 1, 1, 1], { width: 100, gap: 5 }));
    expect(paused.filter((r) => Number.isNaN(r[1]))).toHaveLength(1);
    const absent = rowsOf(decimate([0, 1, 2, 3], [1, Number.NaN, 1, 1], { width: 100 }));
    expect(absent.map((r) => r[1])).toEqual([1, Number.NaN, 1, 1]);
  });

  it('keeps one sample on either side of the range, so that lines enter and leave the picture', () => {
    const times = Array.from({ length: 100 }, (_, i) => i);
    const rows = rowsOf(decimate(times, times, { width: 10, from: 40, to: 60 }));
    expect(rows[0]?.[0]).toBe(39);
    expect(rows.at(-1)?.[0]).toBe(61);
  });

  it('is empty for nothing', () => {
    expect(decimate([], [], { width: 10 })).toHaveLength(0);
  });
});
