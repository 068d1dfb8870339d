import { expect, it } from 'vitest';
import { clockTicks, logExtent, niceInterval } from './timeChartOption.ts';

it.each([
  [21, 1700, { min: 20, max: 2000 }],
  [5, 5, { min: 2.5, max: 10 }],
  [0.3, 0.9, { min: 0.2, max: 1 }],
])('a log axis for %d to %d', (low, high, ends) => {
  expect(logExtent(low, high)).toEqual(ends);
});

it('divides time as a clock does', () => {
  expect(niceInterval(300_000, 870)).toBe(60_000);
  expect(niceInterval(3_600_000, 870)).toBe(600_000);
  expect(niceInterval(900, 870)).toBe(200);
});

it('ticks at round times, wherever the range begins', () => {
  expect(clockTicks({ fromMs: 109_000, toMs: 141_000 }, 10_000)).toEqual([
    110_000, 120_000, 130_000, 140_000,
  ]);
});
