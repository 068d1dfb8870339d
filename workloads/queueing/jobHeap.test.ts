import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JobHeap } from './jobHeap.ts';

test('whoever leaves, the rest comes out in order of key, equal keys in order of job', () => {
  const jobs = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean()), { maxLength: 80 });
  fc.assert(
    fc.property(jobs, (drawn) => {
      const heap = new JobHeap();
      drawn.forEach(([key], job) => {
        heap.push(key, job);
      });
      drawn.forEach(([, leaves], job) => {
        if (leaves) expect(heap.remove(job)).toBe(true);
      });
      expect(heap.remove(drawn.length)).toBe(false);
      const expected = drawn
        .map(([key, leaves], job) => ({ key, leaves, job }))
        .filter((j) => !j.leaves)
        .sort((a, b) => a.key - b.key || a.job - b.job)
        .map((j) => j.job);
      expect(Array.from({ length: heap.size }, () => heap.pop())).toEqual(expected);
    }),
  );
});
