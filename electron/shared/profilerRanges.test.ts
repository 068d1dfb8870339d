import { expect, it } from 'vitest';
import { profilerRanges, rangesVariable } from './profilerRanges.ts';

it('is a plain call, outside a capture and inside one, with the addon and without', () => {
  for (const environment of [{}, { [rangesVariable]: '1' }]) {
    const inRange = profilerRanges(environment);
    expect(inRange('advance', () => 7)).toBe(7);
    expect(() =>
      inRange('advance', () => {
        throw new Error('its own');
      }),
    ).toThrow('its own');
  }
});
