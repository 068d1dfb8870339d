import { expect, test } from 'vitest';
import { endedSince } from './runtimeSupport.ts';

test.each([
  ['electron', '33.2.1', '2026-12-01', '2025-04-29'],
  ['electron', '33.2.1', '2025-04-29', undefined],
  ['electron', '45.4.1', '2026-12-01', undefined],
  ['electron', '12.0.0', '2026-12-01', 'long ago'],
  ['node', '20.20.2', '2026-12-01', '2026-04-30'],
  ['node', '24.1.0', '2026-12-01', undefined],
  ['node', 'unknown version', '2026-12-01', undefined],
] as const)('%s %s on %s ended %s', (runtime, version, day, since) => {
  expect(endedSince(runtime, version, new Date(`${day}T12:00:00Z`))).toBe(since);
});
