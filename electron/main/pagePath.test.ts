import { describe, expect, it } from 'vitest';
import { contentSecurityPolicy, contentType, pagePath } from './pagePath.ts';

describe('pagePath', () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['app://dyno/', '/srv/page/index.html'],
    ['app://dyno/assets/index-1.js', '/srv/page/assets/index-1.js'],
    ['app://dyno/assets/a%20b.css?x=1#y', '/srv/page/assets/a b.css'],
    ['app://dyno/../../etc/passwd', '/srv/page/etc/passwd'],
    ['app://dyno/%2e%2e/%2e%2e/etc/passwd', '/srv/page/etc/passwd'],
    ['app://dyno/..%2f..%2fetc%2fpasswd', undefined],
    ['app://dyno/..%5c..%5cetc', undefined],
    ['app://dyno/a%00.js', undefined],
    ['app://dyno/%E0%A4%A', undefined],
    ['app://other/index.html', undefined],
    ['file:///etc/passwd', undefined],
    ['https://dyno/index.html', undefined],
  ];
  it.each(cases)('%s', (address, file) => {
    expect(pagePath('/srv/page', address)).toBe(file);
  });
});

it('sends the type that a browser needs', () => {
  expect(contentType('/a/b.js')).toBe('text/javascript; charset=utf-8');
  expect(contentType('/a/b.unknown')).toBe('application/octet-stream');
});

it('allows no inline script and no remote source', () => {
  const policy = contentSecurityPolicy('n');
  expect(policy).not.toContain('unsafe');
  expect(policy).not.toContain('http');
  expect(policy).toContain("script-src 'self';");
});
