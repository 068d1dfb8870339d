import { expect, it } from 'vitest';
import type { RunInfo } from '../../electron/contract/protocol.ts';
import { comparedSet } from './comparedSet.ts';
import { inComparisonOrder, mostPins } from './runsStore.ts';

const run = (id: string, variant = 'baseline', started = `2026-12-01T0${id}:00:00Z`): RunInfo => ({
  run: id,
  group: id,
  target: 'labs/dynamic_router:dynamic_router',
  title: '',
  variant,
  kind: 'serving',
  engine: 'sim',
  status: 'done',
  started,
  headline: {},
  tags: [],
  note: '',
  folder: '',
  bytes: 0,
});

it('six runs of one setting have six names, colours and line styles', () => {
  const set = comparedSet(
    run('1'),
    run('2'),
    ['3', '4', '5', '6'].map((id) => run(id)),
  );
  expect(set.map((each) => each.run.run)).toEqual(['1', '2', '3', '4', '5', '6']);
  expect(new Set(set.map(({ name }) => name)).size).toBe(6);
  expect(new Set(set.map(({ token }) => token)).size).toBe(6);
  expect(new Set(set.map(({ dash }) => JSON.stringify(dash ?? []))).size).toBe(6);
});

it('a seventh run is left out', () => {
  const many = ['3', '4', '5', '6', '7'].map((id) => run(id));
  expect(comparedSet(run('1'), run('2'), many)).toHaveLength(2 + mostPins);
});

it('the baseline comes first, else the oldest', () => {
  const order = (...runs: RunInfo[]) => inComparisonOrder(runs).map((each) => each.run);
  expect(order(run('3', 'optimized'), run('4'), run('2', 'policy'))).toEqual(['4', '2', '3']);
  expect(order(run('3', 'policy'), run('2', 'policy'))).toEqual(['2', '3']);
});
