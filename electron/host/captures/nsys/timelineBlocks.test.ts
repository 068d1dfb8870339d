import fc from 'fast-check';
import { expect, it } from 'vitest';
import { timelineBlocks } from './timelineBlocks.ts';

const lane = (...events: readonly (readonly [start: number, end: number, name: number])[]) => ({
  startNs: Float64Array.from(events, ([start]) => start),
  endNs: Float64Array.from(events, ([, end]) => end),
  name: Float64Array.from(events, ([, , name]) => name),
});

it('keeps long events and joins what a pixel cannot keep apart', () => {
  // 10 ns a pixel.
  const events = lane([0, 50, 1], [60, 62, 2], [64, 66, 2], [68, 70, 3], [200, 201, 4]);
  expect(timelineBlocks(events, 0, 1000, 100)).toEqual([
    { startNs: 0, endNs: 50, name: 1, events: 1 },
    { startNs: 60, endNs: 70, name: -1, events: 3 },
    { startNs: 200, endNs: 201, name: 4, events: 1 },
  ]);
});

it('closer up, each event stands alone; outside nothing is drawn', () => {
  const events = lane([0, 50, 1], [60, 62, 2], [64, 66, 2]);
  expect(timelineBlocks(events, 55, 70, 100).map(({ startNs }) => startNs)).toEqual([60, 64]);
});

it('loses no event, and draws no more than two blocks a pixel and one for each long event', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 })), {
        maxLength: 300,
      }),
      fc.integer({ min: 10, max: 50 }),
      (steps, width) => {
        let at = 0;
        const events = steps.map(([gap, length]) => {
          const start = at + gap;
          at = start + length;
          return [start, at, 0] as const;
        });
        const blocks = timelineBlocks(lane(...events), 0, at + 1, width);
        expect(blocks.reduce((sum, block) => sum + block.events, 0)).toBe(events.length);
        expect(blocks.length).toBeLessThanOrEqual(3 * width + 3);
      },
    ),
  );
});
