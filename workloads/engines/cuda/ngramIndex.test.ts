import { expect, it } from 'vitest';
import { NgramIndex } from './ngramIndex.ts';

function drafts(text: readonly number[], most = 4): number[] {
  const index = new NgramIndex(100);
  for (const token of text) index.append(token);
  const into = new Int32Array(most + 2).fill(-1);
  const count = index.draft(most, into, 1);
  expect([into[0], into[count + 1]]).toEqual([-1, -1]);
  return [...into.subarray(1, count + 1)];
}

it('drafts are what followed the last tokens when they stood there before', () => {
  expect(drafts([7, 1, 2, 3, 9, 4, 1, 2, 3])).toEqual([9, 4, 1, 2]);
  expect(drafts([7, 1, 2, 3, 9, 4, 1, 2, 3], 1)).toEqual([9]);
});

it('the latest occurrence counts, and three tokens before two', () => {
  expect(drafts([1, 2, 3, 5, 1, 2, 3, 6, 1, 2, 3])).toEqual([6, 1, 2, 3]);
  // 4 2 3 is new; 2 3 was followed by 8.
  expect(drafts([1, 2, 3, 8, 0, 4, 2, 3])).toEqual([8, 0, 4, 2]);
});

it('new text has no drafts, and a circle goes on', () => {
  expect(drafts([1, 2, 3, 4])).toEqual([]);
  expect(drafts([5])).toEqual([]);
  expect(drafts([8, 8, 8, 8])).toEqual([8, 8, 8, 8]);
  expect(drafts([1, 2, 3, 1, 2])).toEqual([3, 1, 2, 3]);
});
