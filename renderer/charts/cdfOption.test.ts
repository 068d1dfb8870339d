import { expect, it } from 'vitest';
import { shareBelow } from './cdfOption.ts';

it('reads a share off the quantiles', () => {
  const values = Float64Array.of(10, 20, 30, 40, 50);
  expect([5, 10, 25, 30, 50, 99].map((value) => shareBelow(values, value))).toEqual([0, 0, 0.25, 0.5, 1, 1]);
});
