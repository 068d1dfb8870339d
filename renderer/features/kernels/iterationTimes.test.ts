import { expect, test } from 'vitest';
import type { Page } from '../../../electron/contract/protocol.ts';
import { timesOf } from './iterationTimes.ts';

const column = (name: string, values: readonly (number | string | null)[]) => ({
  name,
  type: '',
  unit: '',
  values,
});

test('rounds of each variant in order, without the warm-up', () => {
  const page: Page = {
    //                         warm-up     round 0    round 1
    columns: [
      column('iteration', [null, null, 0, 0, 1, 1]),
      column('variant', ['a', 'b', 'a', 'b', 'a', 'b']),
      column('start_ns', [0, 1e6, 2e6, 3e6, 4e6, 5e6]),
      column('duration_ns', [9e6, 9e6, 3e6, 2e6, 1e6, 4e6]),
    ],
    rows: 6,
    total: 6,
  };
  const [a, b, ...more] = timesOf(page);
  expect(more).toEqual([]);
  expect([a?.variant, [...(a?.sorted ?? [])], [...(a?.series.points ?? [])]]).toEqual([
    'a',
    [1, 3],
    [2, 3, 4, 1],
  ]);
  expect([b?.variant, [...(b?.sorted ?? [])]]).toEqual(['b', [2, 4]]);
});
