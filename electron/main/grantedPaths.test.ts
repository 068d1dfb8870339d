import { expect, it } from 'vitest';
import { GrantedPaths } from './grantedPaths.ts';

it('writes only by a grant that a dialog made', () => {
  const granted = new GrantedPaths();
  const { grant } = granted.grant('/tmp/a/../a/chart.png');
  expect(grant).toMatch(/^grant-[0-9a-f]{32}$/);
  expect(granted.require(grant)).toBe('/tmp/a/chart.png');
  expect(() => granted.require('/tmp/a/chart.png')).toThrow('refused');
  expect(() => granted.require(`grant-${'0'.repeat(32)}`)).toThrow('refused');
});
