import { describe, expect, it } from 'vitest';
import { SampleSeries } from '../state/sampleSeries.ts';
import { bandOutline } from './band.ts';

const seriesOf = (...values: readonly number[]) => {
  const series = new SampleSeries();
  values.forEach((value, index) => {
    series.append(index * 10, value);
  });
  return series;
};

describe('bandOutline', () => {
  it('goes along the top and back along the bottom', () => {
    expect(bandOutline(seriesOf(1, 2), seriesOf(3, 4), 0, 20, 100)).toEqual([
      [0, 3],
      [10, 4],
      [10, 2],
      [0, 1],
    ]);
  });

  it('keeps the spike of a pixel column', () => {
    const outline = bandOutline(seriesOf(1, 1, 1, 1), seriesOf(2, 9, 2, 2), 0, 40, 1);
    expect(outline).toEqual([
      [0, 9],
      [0, 1],
    ]);
  });

  it('is nothing where there is nothing', () => {
    expect(bandOutline(new SampleSeries(), seriesOf(1), 0, 10, 10)).toEqual([]);
  });
});
