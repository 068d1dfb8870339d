import { describe, expect, it } from 'vitest';
import { clockText, popRange, pushRange, zoomRange } from './timeRange.ts';

const whole = { fromMs: 0, toMs: 1000 };

describe('ranges', () => {
  it('pushes what was brushed, in either direction, and pops it', () => {
    const stack = pushRange(pushRange([], 100, 900), 600, 300);
    expect(stack).toEqual([
      { fromMs: 100, toMs: 900 },
      { fromMs: 300, toMs: 600 },
    ]);
    expect(popRange(stack)).toEqual([{ fromMs: 100, toMs: 900 }]);
    expect(popRange([])).toEqual([]);
  });

  it('takes a click for a click', () => {
    expect(pushRange([], 500, 500.2)).toEqual([]);
  });

  it('zooms about the pointer and never beyond the run', () => {
    expect(zoomRange([], whole, 500, 0.5)).toEqual([{ fromMs: 250, toMs: 750 }]);
    expect(zoomRange([{ fromMs: 250, toMs: 750 }], whole, 250, 0.5)).toEqual([{ fromMs: 250, toMs: 500 }]);
    expect(zoomRange([{ fromMs: 250, toMs: 750 }], whole, 500, 4)).toEqual([]);
  });
});

it('writes times as a stopwatch does', () => {
  expect(clockText(42_000)).toBe('00:42');
  expect(clockText(3_723_000)).toBe('1:02:03');
  expect(clockText(1_234, 1_000)).toBe('00:01.234');
  expect(clockText(59_999)).toBe('01:00');
});
