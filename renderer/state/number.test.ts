import { expect, it } from 'vitest';
import { bytes, change, ratioFigures, span, when } from './number.ts';

it('shows sizes by 1024', () => {
  expect(bytes(5 * 1024 * 1024)).toBe('5.00\u202fMiB');
  expect(bytes(12)).toBe('12\u202fB');
});

it.each([
  [380, '380\u202fms'],
  [4200, '4.2\u202fs'],
  [42_000, '42\u202fs'],
  [130_000, '02:10'],
  [3_723_000, '1:02:03'],
  [Number.NaN, '–'],
])('span(%d) = %s', (ms, text) => {
  expect(span(ms)).toBe(text);
});

it('says by how much a ratio differs from one', () => {
  expect(change(0.69)).toBe('−31.0\u202f%');
  expect(change(1.042)).toBe('+4.20\u202f%');
});

it('tells a ratio from one', () => {
  expect([0.567, 1.0046, 0.9999, 2].map(ratioFigures)).toEqual(['0.567', '1.0046', '0.9999', '2.00']);
});

it('says when', () => {
  const now = new Date('2026-11-21T12:00:00');
  expect(when('2026-11-21T09:05:00', now)).toBe('today 09:05');
  expect(when('2026-03-02T09:05:00', now)).toBe('2 Mar 09:05');
  expect(when('nonsense', now)).toBe('nonsense');
});
