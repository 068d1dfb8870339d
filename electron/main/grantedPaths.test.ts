import { expect, it } from 'vitest';
import { GrantedPaths } from './grantedPaths.ts';

it('writes only where a dialog said so', () => {
  const granted = new GrantedPaths();
  granted.grant('/tmp/a/chart.png');
  expect(granted.require('/tmp/a/../a/chart.png')).toBe('/tmp/a/chart.png');
  expect(() => granted.require('/tmp/a/other.png')).toThrow('refused');
  expect(() => granted.require('/tmp/a')).toThrow('refused');
});
