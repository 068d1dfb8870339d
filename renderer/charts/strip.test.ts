import { expect, it } from 'vitest';
import { SampleSeries } from '../state/sampleSeries.ts';
import { stripCells } from './strip.ts';

it('averages within a cell and holds over an empty one', () => {
  const series = new SampleSeries();
  for (const [time, value] of [
    [0, 0.2],
    [5, 0.4],
    [25, 1],
  ] as const)
    series.append(time, value);
  const cells = [...stripCells(series, 0, 40, 4)];
  expect(cells[0]).toBeCloseTo(0.3);
  expect(cells.slice(1)).toEqual([0.4, 1, Number.NaN]);
});

it('starts a narrower range with what was known before it', () => {
  const series = new SampleSeries();
  series.append(0, 0.5);
  series.append(100, 1);
  expect([...stripCells(series, 40, 60, 2)]).toEqual([0.5, 0.5]);
});
