import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventQueue } from './eventQueue.ts';

test('events come out by time, then kind, then in the order they were put in, whatever lies between', () => {
  const operation = fc.record({
    at: fc.integer({ min: 0, max: 5 }),
    kind: fc.integer({ min: 0, max: 3 }),
    pop: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 400 }), (operations) => {
      const queue = new EventQueue();
      const expected: { at: number; kind: number; n: number }[] = [];
      const take = () => {
        expected.sort((a, b) => a.at - b.at || a.kind - b.kind || a.n - b.n);
        const next = expected.shift();
        expect([queue.next, queue.nextKind]).toEqual([next?.at, next?.kind]);
        queue.pop();
        expect([queue.at, queue.kind, queue.first, queue.second]).toEqual([
          next?.at,
          next?.kind,
          next?.n,
          1000 - (next?.n ?? 0),
        ]);
      };
      operations.forEach(({ at, kind, pop }, n) => {
        queue.push(at, kind, n, 1000 - n);
        expected.push({ at, kind, n });
        if (pop) take();
      });
      while (expected.length > 0) take();
      expect(queue.length).toBe(0);
      expect(queue.next).toBe(Number.POSITIVE_INFINITY);
    }),
  );
});
