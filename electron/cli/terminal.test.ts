import { expect, test } from 'vitest';
import { harmless, paintFor } from './terminal.ts';

test('text from files cannot steer the terminal; our own paint stays', () => {
  const evil = '\x1b]0;owned\x07 \x1b[2J \x9b31m \r over \x1b[31m \u202e txt\nnext\tline';
  expect(harmless(evil)).toBe(
    '\ufffd]0;owned\ufffd \ufffd[2J \ufffd31m \ufffd over \x1b[31m \ufffd txt\nnext\tline',
  );
  const paint = paintFor({ isTTY: true }, {});
  const own = [paint.bold('a'), paint.faint('b'), paint.good('c'), paint.bad('d')].join(' ');
  expect(harmless(own)).toBe(own);
});
