import { expect, test } from 'vitest';
import { belongs } from './selection.ts';

const request = { kind: 'request', run: 'b', request: 7, other: 'a' } as const;
const pair = { baseline: 'a', optimized: 'b' };

test('a request of the compared pair belongs to the comparison only', () => {
  expect(belongs(request, 'compare', undefined, pair)).toBe(true);
  expect(belongs(request, 'run', undefined, pair)).toBe(false);
  expect(belongs(request, 'compare', undefined, { baseline: 'a', optimized: 'c' })).toBe(false);
  expect(belongs(request, 'compare', undefined, { baseline: 'c', optimized: 'b' })).toBe(false);
});

test('beside Live is only a request of the run in its charts', () => {
  expect(belongs(request, 'live', 'b', pair)).toBe(true);
  expect(belongs(request, 'live', 'c', pair)).toBe(false);
  expect(belongs({ kind: 'none' }, 'live', 'b', pair)).toBe(false);
});
