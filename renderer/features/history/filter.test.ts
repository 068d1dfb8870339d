import { expect, it } from 'vitest';
import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { matchesQuery } from './filter.ts';

const run: RunInfo = {
  run: '2026-11-21-x',
  group: 'g',
  target: 'labs/dynamic_router:dynamic_router',
  title: 'Router',
  variant: 'optimized',
  kind: 'serving',
  engine: 'sim',
  status: 'done',
  started: '2026-11-21T09:00:00Z',
  headline: {},
  tags: ['Thesis'],
  note: 'with a longer gap',
  folder: '/runs/x',
  bytes: 1,
};

it.each([
  ['', true],
  ['thesis optimized', true],
  ['router gap', true],
  ['baseline', false],
])('%j: %s', (query, expected) => {
  expect(matchesQuery(run, query)).toBe(expected);
});
