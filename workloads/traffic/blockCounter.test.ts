import { expect, it } from 'vitest';
import { BlockCounter } from './blockCounter.ts';

function counted(ids: Iterable<number | string>) {
  const counter = new BlockCounter();
  for (const id of ids) counter.add(id);
  return counter.counted();
}

it('numbered ids, hashes and strings are counted exactly, whatever their order', () => {
  expect(counted([3, 1, 2, 3, 3])).toEqual({ refs: 5, unique: 3, isEstimate: false });
  expect(counted([2 ** 52, 'a', 2 ** 52, '"b', 'a', 0])).toEqual({ refs: 6, unique: 4, isEstimate: false });
  const far = Array.from({ length: 3000 }, (_, i) => (i * 7919 * 65_536) % 2 ** 45);
  expect(counted([...far, ...far]).unique).toBe(new Set(far).size);
});

it('more than two million hashes are estimated to a few tenths of a per cent', () => {
  const counter = new BlockCounter();
  const n = 2_500_000;
  for (let i = 0; i < n; i++) counter.add(2 ** 40 + i * 1_000_003);
  for (let i = 0; i < 1000; i++) counter.add(2 ** 40 + i * 1_000_003);
  const { refs, unique, isEstimate } = counter.counted();
  expect(refs).toBe(n + 1000);
  expect(isEstimate).toBe(true);
  expect(Math.abs(unique / n - 1)).toBeLessThan(0.03);
});
