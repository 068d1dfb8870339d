import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stream } from '../run/random.ts';
import { distribution, quantile } from './percentile.ts';
import { Sketch, sketchRelativeError } from './sketch.ts';
import { SlidingRate, SlidingWindow } from './slidingWindow.ts';

const value = fc.oneof(
  fc.double({ min: 1e-9, max: 1e12, noNaN: true }),
  fc.constant(0),
  fc.integer({ min: 0, max: 50 }),
);

const filled = (values: readonly number[]): Sketch => {
  const sketch = new Sketch();
  for (const v of values) sketch.add(v);
  return sketch;
};

describe('Sketch', () => {
  it('keeps every quantile within its relative error, and mean, minimum and maximum exactly', () => {
    expect(sketchRelativeError).toBeLessThanOrEqual(0.005);
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), (values) => {
        const sketch = filled(values);
        const qs = [0, 0.1, 0.5, 0.9, 0.95, 0.99, 1];
        sketch.quantiles(qs).forEach((found, i) => {
          const exact = quantile(values, qs[i] ?? 0);
          expect(Math.abs(found - exact)).toBeLessThanOrEqual(exact * sketchRelativeError * (1 + 1e-9));
        });
        const exact = distribution(values);
        expect([sketch.n, sketch.min, sketch.max]).toEqual([exact?.n, exact?.min, exact?.max]);
        expect(sketch.mean).toBeCloseTo(exact?.mean ?? 0, 6);
      }),
    );
  });

  it('a weight is that many values, and merging is adding', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(value, fc.integer({ min: 1, max: 5 })), { maxLength: 60 }),
        fc.array(value, { maxLength: 60 }),
        (weighted, others) => {
          const a = new Sketch();
          for (const [v, count] of weighted) a.add(v, count);
          a.merge(filled(others));
          const flat = filled([...weighted.flatMap(([v, count]) => Array<number>(count).fill(v)), ...others]);
          expect(a.n).toBe(flat.n);
          expect(a.quantiles([0, 0.3, 0.5, 0.99])).toEqual(flat.quantiles([0, 0.3, 0.5, 0.99]));
        },
      ),
    );
  });

  it('takes absent values as absent, and refuses what is no latency', () => {
    const sketch = filled([Number.NaN]);
    expect(sketch.distribution()).toBeUndefined();
    expect(sketch.quantile(0.5)).toBeNaN();
    expect(() => sketch.add(-1)).toThrow(RangeError);
    expect(() => sketch.add(Number.POSITIVE_INFINITY)).toThrow(RangeError);
  });

  it('starts again after clear', () => {
    const sketch = filled([1, 2, 3]);
    sketch.clear();
    sketch.add(9);
    expect(sketch.distribution()).toMatchObject({ n: 1, min: 9, p50: 9, max: 9 });
  });
});

describe('SlidingWindow', () => {
  const second = 1e9;

  it('forgets what is older than the window', () => {
    const window = new SlidingWindow(10 * second, 10);
    window.add(0.5 * second, 100);
    window.add(9.5 * second, 200);
    expect(window.read(9.9 * second).n).toBe(2);
    expect(window.read(10.1 * second).distribution()).toMatchObject({ n: 1, p50: 200 });
    expect(window.read(100 * second).n).toBe(0);
  });

  it('takes values out of order, and counts those that come too late', () => {
    const window = new SlidingWindow(10 * second, 10);
    window.add(20 * second, 1);
    window.add(12 * second, 2);
    window.add(3 * second, 3);
    expect(window.read(20 * second).n).toBe(2);
    expect(window.late).toBe(1);
  });

  it('agrees with the exact values of its steps, whatever the order within the window', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = stream(seed, 'window');
        const window = new SlidingWindow(8, 8);
        const seen: { time: number; value: number }[] = [];
        let clock = 0;
        for (let i = 0; i < 200; i++) {
          clock += random.exponential(0.3);
          const time = Math.max(0, clock - random.exponential(0.5));
          const v = random.exponential(50);
          window.add(clock, 1e-3);
          seen.push({ time: clock, value: 1e-3 });
          if (Math.floor(time) > Math.floor(clock) - 8) seen.push({ time, value: v });
          window.add(time, v);
        }
        const inside = seen.filter(({ time }) => Math.floor(time) > Math.floor(clock) - 8);
        const sketch = window.read(clock);
        expect(sketch.n).toBe(inside.length);
        const exact = quantile(
          inside.map((x) => x.value),
          0.9,
        );
        expect(Math.abs(sketch.quantile(0.9) - exact)).toBeLessThanOrEqual(exact * 0.005);
      }),
      { numRuns: 30 },
    );
  });
});

describe('SlidingRate', () => {
  it('counts per second of the time that the window covers', () => {
    const rate = new SlidingRate(10e9, 10);
    expect(rate.perSecond(0)).toBeNaN();
    for (let i = 0; i < 4; i++) rate.add(i * 0.5e9);
    expect(rate.perSecond(2e9)).toBe(2); // the first two seconds, not the window's ten
    for (let i = 4; i < 40; i++) rate.add(i * 0.5e9);
    expect(rate.perSecond(19.999e9)).toBeCloseTo(2, 3);
    expect(rate.perSecond(60e9)).toBe(0);
  });
});
