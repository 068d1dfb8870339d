import { describe, expect, it, vi } from 'vitest';

vi.mock('electron', () => ({ ipcMain: {} }));
const { isOurPage, paramsOf } = await import('./ipc.ts');

describe('paramsOf', () => {
  it('lets pass what fits', () => {
    expect(paramsOf('dyno:set-theme', { theme: 'dark' })).toEqual({ theme: 'dark' });
  });

  it.each([
    ['dyno:set-theme', { theme: 'pink' }],
    ['dyno:set-theme', { theme: 'dark', more: 1 }],
    ['dyno:set-theme', null],
    ['dyno:copy-text', { text: 1 }],
    ['dyno:write-file', { grant: `grant-${'0'.repeat(32)}`, bytes: 'text' }],
    ['dyno:write-file', { grant: '/tmp/x', bytes: new Uint8Array(1) }],
    ['dyno:print-report', { baseline: 'a', optimized: 'b', grant: '/tmp/x.pdf' }],
    ['dyno:choose-save-path', { title: 'x', suggestedName: 'y', extension: '../z' }],
  ] as const)('refuses %s %j', (channel, argument) => {
    expect(() => paramsOf(channel, argument)).toThrow('refused');
  });
});

describe('isOurPage', () => {
  const frame = (url: string, parent: object | null = null) =>
    ({ url, parent }) as Parameters<typeof isOurPage>[0];
  it('is the top frame of app://dyno and nothing else', () => {
    expect(isOurPage(frame('app://dyno/index.html'))).toBe(true);
    expect(isOurPage(frame('app://dyno/index.html', {}))).toBe(false);
    expect(isOurPage(frame('app://dyno.evil/index.html'))).toBe(false);
    expect(isOurPage(frame('https://example.org/'))).toBe(false);
    expect(isOurPage(null)).toBe(false);
  });
});
