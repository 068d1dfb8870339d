import { expect, it, vi } from 'vitest';

vi.mock('electron', () => ({ app: {}, shell: {} }));
const { mayOpenOutside } = await import('./lockdown.ts');

it.each([
  ['https://arxiv.org/abs/2309.06180', true],
  ['http://arxiv.org/', false],
  ['https://arxiv.org.evil.example/', false],
  ['https://user:word@github.com/', false],
  ['file:///etc/passwd', false],
  ['javascript:alert(1)', false],
  ['not an address', false],
])('%s: %s', (address, expected) => {
  expect(mayOpenOutside(address)).toBe(expected);
});
