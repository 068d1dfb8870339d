import { expect, it } from 'vitest';
import type { RunInfo } from '../../electron/contract/protocol.ts';
import { pairsOf } from './runsStore.ts';
import { firstSettings, parseSettings } from './settings.ts';

const run = (id: string, group: string, variant: string): RunInfo => ({
  run: id,
  group,
  target: 't',
  title: '',
  variant,
  kind: 'serving',
  engine: 'sim',
  status: 'done',
  started: '',
  headline: {},
  tags: [],
  note: '',
  folder: '',
  bytes: 0,
});

it('pairs what one press of a button started', () => {
  const runs = [
    run('d', '2', 'as_published'),
    run('c', '1', 'optimized'),
    run('b', '1', 'baseline'),
    run('a', '0', 'baseline'),
  ];
  expect(pairsOf(runs).map(({ baseline, optimized }) => [baseline.run, optimized.run])).toEqual([['b', 'c']]);
});

it('takes settings that fit and starts afresh otherwise', () => {
  const changed = { ...firstSettings, theme: 'light' as const };
  expect(parseSettings(JSON.stringify(changed))).toEqual(changed);
  for (const text of [null, '', '{', '{"version":9}']) expect(parseSettings(text)).toEqual(firstSettings);
});
