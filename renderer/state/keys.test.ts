import { describe, expect, it } from 'vitest';
import { commands } from '../../electron/contract/commands.ts';
import { capsOf, type KeyPress, matches, takesText } from './keys.ts';

const press = (key: string, with_: Partial<KeyPress> = {}): KeyPress => ({
  key,
  code: '',
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...with_,
});

describe('matches', () => {
  it.each([
    ['Mod+Shift+P', press('P', { ctrlKey: true, shiftKey: true }), true],
    ['Mod+Shift+P', press('p', { ctrlKey: true }), false],
    ['Mod+I', press('i', { metaKey: true }), false],
    ['Space', press(' ', { code: 'Space' }), true],
    ['?', press('?', { shiftKey: true }), true],
    ['?', press('?'), true],
    ['Mod+.', press('.', { ctrlKey: true }), true],
    ['1', press('1'), true],
    ['1', press('1', { altKey: true }), false],
    ['C', press('c', { ctrlKey: true }), false],
  ])('%s, %o: %s', (keys, event, expected) => {
    expect(matches(keys, event, false)).toBe(expected);
  });

  it('takes Command for Mod on a Mac', () => {
    expect(matches('Mod+I', press('i', { metaKey: true }), true)).toBe(true);
  });
});

it('gives no two commands the same keys', () => {
  const keys = commands.flatMap((command) => (command.keys === undefined ? [] : [command.keys]));
  expect(new Set(keys).size).toBe(keys.length);
});

it('writes key caps', () => {
  expect(capsOf('Mod+Shift+P', false)).toEqual(['Ctrl', 'Shift', 'P']);
  expect(capsOf('?', false)).toEqual(['?']);
});

it('knows where text is typed', () => {
  expect(takesText({ tagName: 'INPUT', type: 'text' })).toBe(true);
  expect(takesText({ tagName: 'INPUT', type: 'checkbox' })).toBe(false);
  expect(takesText({ tagName: 'BUTTON' })).toBe(false);
});
