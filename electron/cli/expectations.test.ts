import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExpectedFigure } from '../../workloads/harness/expectations/expectations.ts';
import {
  checkExpectationOptions,
  type ExpectationOptions,
  type ExpectedBench,
  expectationLines,
  heldToExpectations,
  measuredWords,
  settingDigest,
} from './expectations.ts';
import { paintFor } from './terminal.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dyno-expect-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const figure = (median: number): ExpectedFigure => ({ of: 'baseline', metric: 'ttft_ms.p95', median, n: 1 });
const bench = (median: number): ExpectedBench => ({
  ...{ hardware: 'sim', target: 'a:b', variants: ['baseline', 'optimized'], specs: [] },
  figures: [figure(median)],
});
const held = (median: number, options: ExpectationOptions = {}) =>
  heldToExpectations(bench(median), { ...options, expectations: folder });
const recorded = () =>
  JSON.parse(readFileSync(join(folder, 'sim.json'), 'utf8')).expectations[0].figures[0].median;
const paint = paintFor({}, {});

describe('a bench held to its expectations', () => {
  it('without any says nothing, and fails only where they were asked for', async () => {
    expect(await held(10)).toMatchObject({ status: 'none', fails: false });
    const asked = await held(10, { expect: true });
    expect(asked).toMatchObject({ status: 'none', fails: true });
    expect(expectationLines(asked, { expect: true }, paint).join('\n')).toContain('--update-expectations');
  });

  it('records, compares, and fails where a figure is worse', async () => {
    expect(await held(10, { updateExpectations: true })).toMatchObject({ status: 'recorded', fails: false });
    expect(await held(10, { expect: true })).toMatchObject({ status: 'as_expected', fails: false });
    expect(await held(11)).toMatchObject({ status: 'regressed', fails: false });
    const worse = await held(11, { expect: true });
    expect(worse).toMatchObject({ status: 'regressed', fails: true });
    const told = expectationLines(worse, { expect: true }, paint).join('\n');
    expect(told).toMatch(/baseline +TTFT p95 +10\.0.ms +11\.0.ms +1\.1000 +regressed/);
    expect(await held(11, { expect: true, acceptRegressions: true })).toMatchObject({ fails: false });
    expect(await held(9, { expect: true })).toMatchObject({ status: 'improved', fails: false });
  });

  it('takes a worse figure only where regressions are accepted', async () => {
    await held(10, { updateExpectations: true });
    expect(await held(11, { updateExpectations: true })).toMatchObject({ status: 'regressed', fails: true });
    expect(recorded()).toBe(10);
    await held(11, { updateExpectations: true, acceptRegressions: true });
    expect(recorded()).toBe(11);
    await held(9, { updateExpectations: true });
    expect(recorded()).toBe(9);
  });

  it('of servers is not compared: their hardware is not known', async () => {
    const { hardware: _, ...rest } = bench(1);
    expect(await heldToExpectations({ ...rest, hardware: undefined }, {})).toEqual({
      status: 'none',
      fails: false,
    });
    expect(() => checkExpectationOptions({ expect: true }, 'http')).toThrow('expected engine sim or cuda');
  });

  it.each([
    ['{', 'sim.json'],
    ['{"schema":2,"hardware":"sim","expectations":[]}', 'schema'],
    ['{"schema":1,"hardware":"nvidia-h200","expectations":[]}', 'expected "sim"'],
  ])('refuses the file %s', async (text, words) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'sim.json'), text);
    await expect(held(1)).rejects.toThrow(words);
  });
});

describe('a setting', () => {
  it('is the same whatever the order of its keys, and another for another value', () => {
    const spec = (value: object) => settingDigest([value] as never);
    expect(spec({ a: 1, b: { c: [1, 2], d: 2 } })).toBe(spec({ b: { d: 2, c: [1, 2] }, a: 1 }));
    expect(spec({ a: [1, 2] })).not.toBe(spec({ a: [2, 1] }));
  });

  it('is told by the words that matter to it', () => {
    const words = [
      'ch17:x',
      '--json',
      '--expect',
      '--out',
      '/tmp/a',
      '--set',
      'name=a b',
      '--report',
      'r.html',
    ];
    expect(measuredWords(words)).toBe("ch17:x --set 'name=a b'");
  });
});

it('accepting regressions of nothing is refused', () => {
  expect(() => checkExpectationOptions({ acceptRegressions: true }, 'sim')).toThrow('nothing is checked');
  expect(() => checkExpectationOptions({ acceptRegressions: true, expect: true }, 'sim')).not.toThrow();
});
