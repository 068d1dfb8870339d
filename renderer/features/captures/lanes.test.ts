import fc from 'fast-check';
import { expect, it } from 'vitest';
import { around, blockAt, blocksOf, laneLabel, moved, showing, ticksOf, zoomed } from './lanes.ts';

const whole = { fromNs: 0, toNs: 1e6 };

it('zooms about the pointer and never leaves the recording', () => {
  const closer = zoomed(whole, whole, 250_000, 0.5);
  expect(closer).toEqual({ fromNs: 125_000, toNs: 625_000 });
  expect(zoomed(closer, whole, 300_000, 100)).toEqual(whole);
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.double({ min: 0.1, max: 10, noNaN: true }),
      (at, factor) => {
        const span = zoomed(whole, whole, at, factor);
        expect(span.fromNs).toBeGreaterThanOrEqual(0);
        expect(span.toNs).toBeLessThanOrEqual(1e6 + 1e-3);
      },
    ),
  );
});

it('pans up to the ends', () => {
  expect(moved({ fromNs: 10, toNs: 20 }, whole, -50)).toEqual({ fromNs: 0, toNs: 10 });
  expect(moved({ fromNs: 10, toNs: 20 }, whole, 2e6)).toEqual({ fromNs: 1e6 - 10, toNs: 1e6 });
});

it('reads blocks and finds the one under the pointer', () => {
  const blocks = blocksOf({
    blocks: Float64Array.of(0, 10, 20, 0, 1, 1, 30, 31, -1, 7),
    names: ['gemm'],
  });
  expect(blocks).toEqual([
    { lane: 0, startNs: 10, endNs: 20, name: 'gemm', events: 1 },
    { lane: 1, startNs: 30, endNs: 31, name: '', events: 7 },
  ]);
  expect(blockAt(blocks, 0, 15, 1)?.name).toBe('gemm');
  expect(blockAt(blocks, 1, 32.5, 1)?.events).toBe(7);
  expect(blockAt(blocks, 0, 40, 1)).toBeUndefined();
});

it('a lane says first what it is', () => {
  expect(laneLabel('thread 7 of 5 · NVTX 0')).toBe('NVTX 0 · thread 7');
  expect(laneLabel('GPU 0 · stream 13 · kernels')).toBe('GPU 0 · stream 13 · kernels');
});

it('ticks are round', () => {
  expect(ticksOf({ fromNs: 3, toNs: 97 }, 5)).toEqual([20, 40, 60, 80]);
});

it('a jump puts the event in the middle fifth, and never leaves the recording', () => {
  expect(around({ startNs: 500_000, endNs: 501_000 }, whole)).toEqual({ fromNs: 498_000, toNs: 503_000 });
  expect(around({ startNs: 0, endNs: 1000 }, whole)).toEqual({ fromNs: 0, toNs: 5000 });
  expect(around({ startNs: 0, endNs: 900_000 }, whole)).toEqual(whole);
});

it('an event that can be seen moves nothing; one outside is centred; a speck is brought closer', () => {
  const span = { fromNs: 100_000, toNs: 200_000 };
  expect(showing(span, { startNs: 150_000, endNs: 160_000 }, whole)).toEqual(span);
  expect(showing(span, { startNs: 495_000, endNs: 505_000 }, whole)).toEqual({
    fromNs: 450_000,
    toNs: 550_000,
  });
  expect(showing(span, { startNs: 150_000, endNs: 150_100 }, whole)).toEqual({
    fromNs: 149_800,
    toNs: 150_300,
  });
});
