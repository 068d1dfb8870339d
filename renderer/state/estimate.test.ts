import { expect, it } from 'vitest';
import { estimateOf } from './estimate.ts';

const values = {
  parameters: {},
  engine: 'sim',
  trace: null,
  seed: 1,
  iterations: 1,
  compared: 'optimized',
} as const;
const run = (wall_s: number) => ({
  run: 'r',
  group: 'g',
  target: 't',
  title: '',
  variant: 'baseline',
  kind: 'serving' as const,
  engine: 'sim',
  status: 'done' as const,
  started: '',
  wall_s,
  headline: {},
  tags: [],
  note: '',
  folder: '',
  bytes: 0,
});

it('says how long a watched run takes, once its traffic is known', () => {
  expect(estimateOf('t', values, 60, 300, []).text).toBe('≈ 5.0\u202fs per run');
  expect(estimateOf('t', values, 60, undefined, []).text).toBe('60× the clock');
});

it('takes the median of earlier runs, and guesses nothing without them', () => {
  expect(estimateOf('t', values, 'max', 300, [run(1), run(9), run(2)]).text).toBe('≈ 2.0\u202fs per run');
  expect(estimateOf('other', values, 'max', 300, [run(1)]).text).toBe('duration not known yet');
});
