import { expect, test } from 'vitest';
import { readCountLine, readPlaywright, total } from './testResults.mjs';

test('the closing line adds up the suites, and names skips only where there are any', () => {
  expect(
    total([
      { passed: 2, failed: ['a'], skipped: [] },
      { passed: 3, failed: [], skipped: [] },
    ]),
  ).toBe('5 passed, 1 failed');
  expect(total([{ passed: 2, failed: [], skipped: ['b: no GPU'] }])).toBe('2 passed, 0 failed, 1 skipped');
});

test("Playwright's report: outcomes, nested titles, reasons of skips, errors outside tests", () => {
  const spec = (title: string, status: string, annotations: object[] = []) => ({
    title,
    tests: [{ status, annotations }],
  });
  const report = {
    suites: [
      {
        title: 'lab.spec.ts',
        specs: [spec('opens', 'expected'), spec('wavers', 'flaky')],
        suites: [
          {
            title: 'a trace',
            specs: [
              spec('is read', 'unexpected'),
              spec('is huge', 'skipped', [{ type: 'skip', description: 'no data here' }]),
            ],
          },
        ],
      },
    ],
    errors: [{ message: 'boom\nstack' }],
  };
  expect(readPlaywright(report)).toEqual({
    passed: 1,
    failed: [
      'lab.spec.ts › wavers: passed only when tried again',
      'lab.spec.ts › a trace › is read',
      'e2e: boom',
    ],
    skipped: ['lab.spec.ts › a trace › is huge: no data here'],
  });
});

test('a program that counts by itself is believed; one that says nothing is not', () => {
  expect(readCountLine('ok a\nlogic-tests: 14 passed, 2 failed\n')).toMatchObject({
    passed: 14,
    failed: { length: 2 },
  });
  expect(readCountLine('Segmentation fault')).toBeUndefined();
});
