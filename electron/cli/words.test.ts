import { expect, test } from 'vitest';
import { closest, didYouMean, distance } from './closest.ts';
import { paintFor } from './terminal.ts';
import { textTable } from './textTable.ts';

test('distance counts inserts, deletes, replacements and swapped neighbours', () => {
  expect([
    distance('', 'abc'),
    distance('abc', 'abc'),
    distance('abd', 'abc'),
    distance('acb', 'abc'),
  ]).toEqual([3, 0, 1, 1]);
});

test('names that were meant come first, far ones not at all', () => {
  const names = ['requests', 'rate_rps', 'router_temperature', 'kv_blocks'];
  expect(closest('reqests', names)).toEqual(['requests']);
  expect(closest('temperature', names)).toEqual(['router_temperature']);
  expect(closest('zzz', names)).toEqual([]);
  expect(didYouMean('kv_block', names)).toBe('; did you mean "kv_blocks"?');
  expect(didYouMean('zzz', names)).toBe('');
});

test('a table lines up whatever the colours', () => {
  const { good } = paintFor({ isTTY: true }, {});
  const table = textTable(
    [{ title: 'a' }, { title: 'b', align: 'right' }],
    [
      [good('wide'), '1'],
      ['x', '1,000'],
    ],
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are taken out.
  expect(table.replace(/\x1b\[[0-9]+m/g, '')).toBe('a         b\n────  ─────\nwide      1\nx     1,000');
});

test('colour only on a terminal, and never with NO_COLOR', () => {
  expect(paintFor({ isTTY: true }, {}).bad('x')).toBe('\x1b[31mx\x1b[39m');
  expect(paintFor({}, {}).bad('x')).toBe('x');
  expect(paintFor({ isTTY: true }, { NO_COLOR: '1' }).bad('x')).toBe('x');
});
