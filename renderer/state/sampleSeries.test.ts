import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SampleSeries } from './sampleSeries.ts';

const seriesOf = (values: readonly number[], limit?: number) => {
  const series = new SampleSeries(limit);
  values.forEach((value, index) => {
    series.append(index, value);
  });
  return series;
};

describe('SampleSeries', () => {
  it('is row-interleaved', () => {
    expect([...seriesOf([5, 6]).points]).toEqual([0, 5, 1, 6]);
  });

  it('a copy stays as it is', () => {
    const series = seriesOf([5, 6]);
    const copy = series.copy();
    series.append(2, 7);
    expect([...copy.points]).toEqual([0, 5, 1, 6]);
    copy.append(2, 8);
    expect(series.last).toBe(7);
  });

  it('stays within its limit, in order, and keeps the extremes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 400 }),
        (values) => {
          const series = seriesOf(values, 32);
          const kept = Array.from({ length: series.length }, (_, index) => series.valueAt(index));
          const times = Array.from({ length: series.length }, (_, index) => series.timeAt(index));
          expect(series.length).toBeLessThanOrEqual(32);
          expect(series.samples).toBe(values.length);
          expect(times).toEqual([...times].sort((a, b) => a - b));
          expect(Math.max(...kept)).toBe(Math.max(...values));
          expect(Math.min(...kept)).toBe(Math.min(...values));
          expect(series.last).toBe(values.at(-1));
        },
      ),
    );
  });

  it('finds what was known at a time', () => {
    const series = seriesOf([5, 6, 7]);
    expect([-1, 0, 0.5, 2, 9].map((time) => series.indexAt(time))).toEqual([-1, 0, 0, 2, 2]);
    expect(series.bucket(0, 2)).toEqual({ n: 2, min: 6, max: 7 });
  });

  it('copies a range with its neighbours', () => {
    const series = seriesOf([5, 6, 7, 8]);
    expect([...series.within(1.5, 2)]).toEqual([1, 6, 2, 7, 3, 8]);
    expect([...new SampleSeries().within(0, 9)]).toEqual([]);
  });

  it('draws both ends of a stored bucket', () => {
    const series = new SampleSeries();
    series.replaceByBuckets(Float64Array.of(0, 4, 4, 4, 10, 9, 1, 9, 20, Number.NaN, Number.NaN, Number.NaN));
    expect([...series.points]).toEqual([0, 4, 10, 1, 10, 9, 20, Number.NaN]);
  });
});
