import { describe, expect, it } from 'vitest';
import { firstWindowState, isOnScreen, parseWindowState } from './windowState.ts';

describe('parseWindowState', () => {
  it('reads what was written', () => {
    const state = { ...firstWindowState, x: 10, y: 20, maximized: true };
    expect(parseWindowState(JSON.stringify(state))).toEqual(state);
  });

  it.each(['', '{', '{"version":2}', '{"version":1,"width":3}', 'null'])('starts afresh on %j', (text) => {
    expect(parseWindowState(text)).toEqual(firstWindowState);
  });
});

describe('isOnScreen', () => {
  const screens = [{ x: 0, y: 0, width: 1920, height: 1080 }];
  it.each([
    [{ x: 100, y: 100 }, true],
    [{ x: 1900, y: 100 }, false],
    [{ x: -1250, y: 0 }, false],
    [{ x: 100, y: 1070 }, false],
    [{}, false],
  ])('%j: %j', (place, expected) => {
    expect(isOnScreen({ ...firstWindowState, ...place }, screens)).toBe(expected);
  });
});
