import { describe, expect, it } from 'vitest';
import {
  checkExpectation,
  type Expectation,
  type ExpectedFigure,
  expectationOf,
  expectationsFile,
  expectationsText,
  hardwareKey,
  withExpectation,
} from './expectations.ts';

const figure = (metric: string, median: number, ci95?: [number, number]): ExpectedFigure => ({
  ...{ of: 'optimized', metric, median, n: 5 },
  ...(ci95 === undefined ? {} : { ci95 }),
});
const of = (figures: readonly ExpectedFigure[], setting = '0123456789abcdef'): Expectation => ({
  ...{ target: 'serving:a', variants: ['baseline', 'optimized'], setting, command: 'serving:a' },
  figures: [...figures],
});
const verdicts = (expected: ExpectedFigure, found: ExpectedFigure) =>
  checkExpectation(of([expected]), [found]).changes.map(({ verdict }) => verdict);

describe('an exact figure', () => {
  it.each([
    ['ttft_ms.p95', 101, ['regressed']],
    ['ttft_ms.p95', 99, ['improved']],
    ['ttft_ms.p95', 100, []],
    ['ttft_ms.p95', 100 * (1 + 1e-12), []],
    ['ttft_ms.p95', 100 * (1 + 1e-6), ['regressed']],
    ['throughput_rps', 101, ['improved']],
    ['throughput_rps', 99, ['regressed']],
    ['transfers', 99, ['changed']],
  ] as const)('%s from 100 to %d: %j', (metric, now, expected) => {
    expect(verdicts(figure(metric, 100), figure(metric, now))).toEqual(expected);
  });

  it('of 0 that grows has no ratio', () => {
    const { changes } = checkExpectation(of([figure('rejected', 0)]), [figure('rejected', 3)]);
    expect(changes).toHaveLength(1);
    expect(changes[0]?.ratio).toBeUndefined();
  });
});

describe('a measured figure', () => {
  const expected = figure('ttft_ms.p50', 100, [95, 105]);
  it.each([
    [[104, 112], []],
    [[106, 112], ['regressed']],
    [[85, 94], ['improved']],
  ] as const)('with the interval %j: %j', (ci95, verdict) => {
    const [low, high] = ci95;
    expect(verdicts(expected, figure('ttft_ms.p50', (low + high) / 2, [low, high]))).toEqual(verdict);
  });

  it('without an interval of its own is held against the expected one', () => {
    expect(verdicts(expected, figure('ttft_ms.p50', 105))).toEqual([]);
    expect(verdicts(expected, figure('ttft_ms.p50', 105.1))).toEqual(['regressed']);
  });
});

it('a figure that the bench no longer has is named', () => {
  const check = checkExpectation(of([figure('ttft_ms.p50', 1), figure('tpot_ms.p50', 1)]), [
    figure('ttft_ms.p50', 1),
  ]);
  expect(check).toEqual({ figures: 1, changes: [], missing: ['optimized/tpot_ms.p50'] });
});

describe('the file', () => {
  const empty = { schema: 1 as const, hardware: 'sim', expectations: [] };

  it('holds one expectation per setting, reads back what it wrote, a line per figure', () => {
    const old = of([figure('ttft_ms.p50', 1)]);
    const other = of([figure('ttft_ms.p50', 2)], 'fedcba9876543210');
    const fresh = of([figure('ttft_ms.p50', 3), figure('tpot_ms.p50', 4, [3, 5])]);
    const file = [old, other, fresh].reduce(withExpectation, empty);
    expect(file.expectations).toEqual([fresh, other]);
    expect(expectationOf(file, other)?.figures[0]?.median).toBe(2);
    expect(expectationOf(file, { ...other, variants: ['baseline'] })).toBeUndefined();
    const text = expectationsText(file);
    expect(expectationsFile.parse(JSON.parse(text))).toEqual(file);
    expect(text.split('\n').filter((line) => line.includes('"metric"'))).toHaveLength(3);
  });

  it('without expectations is JSON too', () => {
    expect(JSON.parse(expectationsText(empty))).toEqual(empty);
  });

  it('is named after the card', () => {
    expect(hardwareKey('NVIDIA H200')).toBe('nvidia-h200');
    expect(hardwareKey('NVIDIA RTX 4090 (48 GB)')).toBe('nvidia-rtx-4090-48-gb');
  });
});
