import { expect, test } from 'vitest';
import { stream } from './random.ts';

const draws = (n: number, f: () => number): { mean: number; variance: number } => {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    const x = f();
    sum += x;
    squares += x * x;
  }
  return { mean: sum / n, variance: squares / n - (sum / n) * (sum / n) };
};

test('a stream depends on seed and name only', () => {
  expect(stream(1, 'a').bits()).toBe(stream(1, 'a').bits());
  expect(stream(1, 'a').bits()).not.toBe(stream(1, 'b').bits());
  expect(stream(1, 'a').bits()).not.toBe(stream(2, 'a').bits());
  const used = stream(1, 'a');
  used.bits();
  expect(used.fork('x').bits()).toBe(stream(1, 'a').fork('x').bits());
});

test('the first bits are pinned: a change of the generator changes every recorded run', () => {
  const r = stream(42, 'pinned');
  expect([r.bits(), r.bits(), r.bits()]).toMatchInlineSnapshot(`
    [
      1439865220,
      965881104,
      1518972561,
    ]
  `);
});

test('moments', () => {
  const n = 200_000;
  const u = draws(n, () => stream1.uniform());
  expect(u.mean).toBeCloseTo(0.5, 2);
  expect(u.variance).toBeCloseTo(1 / 12, 2);
  const e = draws(n, () => stream1.exponential(2));
  expect(e.mean).toBeCloseTo(2, 1);
  expect(e.variance / 4).toBeCloseTo(1, 1);
  const g = draws(n, () => stream1.gaussian());
  expect(g.mean).toBeCloseTo(0, 1);
  expect(g.variance).toBeCloseTo(1, 1);
  for (const shape of [0.11, 0.5, 1, 4]) {
    const x = draws(n, () => stream1.gamma(shape, 3));
    expect(x.mean / (3 * shape)).toBeCloseTo(1, 1);
    expect(x.variance / (9 * shape) / 1).toBeCloseTo(1, 1);
  }
  for (const mean of [0.3, 1.2, 40, 1200]) {
    const x = draws(20_000, () => stream1.poisson(mean));
    expect(x.mean / mean).toBeCloseTo(1, 1);
    expect(x.variance / mean).toBeCloseTo(1, 1);
  }
});
const stream1 = stream(7, 'moments');

test('integers cover both ends, a shuffle keeps every value', () => {
  const r = stream(3, 'integers');
  const seen = new Set<number>();
  for (let i = 0; i < 500; i++) seen.add(r.integer(3, 6));
  expect([...seen].sort()).toEqual([3, 4, 5, 6]);
  const values = [1, 2, 3, 4, 5, 6, 7];
  r.shuffle(values);
  expect([...values].sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
});
