import { expect, test } from 'vitest';
import type { Manifest } from '../store/manifest.ts';
import { testSpec } from '../testing/testSpec.ts';
import { differencesOf } from './specDifferences.ts';

const manifest = (variant: string, extra: Partial<Manifest> = {}): Manifest => ({
  schema: 1,
  run: 'r',
  group: 'g',
  title: 't',
  status: 'done',
  spec: testSpec({ variant }),
  started: '2026-11-21T10:00:00.000Z',
  versions: { dyno: '0.1.0', node: '20.0.0' },
  hardware: { cpu: 'c', cores: 2, memory_bytes: 1, gpus: [] },
  tags: [],
  note: '',
  files: {},
  ...extra,
});

test('dotted paths with both values; what only one side has is a dash', () => {
  const found = differencesOf(
    manifest('baseline'),
    manifest('optimized', { versions: { dyno: '0.1.0', node: '22.0.0' }, git_commit: 'abc' }),
  );
  const at = (path: string) => found.find((difference) => difference.path === path);
  expect(at('variant')).toEqual({ path: 'variant', baseline: 'baseline', optimized: 'optimized' });
  expect(at('versions.node')).toEqual({ path: 'versions.node', baseline: '20.0.0', optimized: '22.0.0' });
  expect(at('git_commit')).toEqual({ path: 'git_commit', baseline: '–', optimized: 'abc' });
  expect(at('versions.dyno')).toBeUndefined();
});

test('a run differs from itself in nothing', () => {
  expect(differencesOf(manifest('baseline'), manifest('baseline'))).toEqual([]);
});
