import { expect, it } from 'vitest';
import { extentOf, placeOf } from './intervalExtent.ts';

it('centres on one and holds every interval', () => {
  const extent = extentOf([
    [0.5, 0.9],
    [1, 1.2],
  ]);
  expect(placeOf(1, extent)).toBe(0.5);
  expect(placeOf(0.5, extent)).toBeGreaterThan(0);
  expect(placeOf(2, extent)).toBeCloseTo(1 - placeOf(0.5, extent));
});

it('does not blow up small differences, nor shrink all for one that is huge', () => {
  expect(extentOf([[0.999, 1.001]])).toBeCloseTo(Math.log(1.1) * 1.08);
  expect(placeOf(1000, extentOf([[1, 1000]]))).toBe(1);
  expect(placeOf(0, 1)).toBe(0);
});
