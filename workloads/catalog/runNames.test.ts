import { expect, test } from 'vitest';
import { findTarget } from './catalog.ts';
import { type NamedRun, pairNames, runNames } from './runNames.ts';

const target = 'labs/dynamic_router:dynamic_router';
const defaults = Object.fromEntries(
  (findTarget(target)?.parameters ?? []).map((parameter) => [parameter.id, parameter.default]),
);
const run = (variant: string, settings: NamedRun['settings'] = {}): NamedRun => ({
  target,
  variant,
  engine: 'sim',
  settings: { ...defaults, seed: 0, iterations: 1, ...settings },
});
const names = (...runs: NamedRun[]) => runNames(runs, findTarget);

test('two published policies are named by their router', () => {
  const [a, b] = names(run('policy', { router: 'sglang_cache_aware' }), run('policy', { router: 'llm_d' }));
  expect(a).toMatch(/SGLang/);
  expect(b).toMatch(/llm-d/);
});

test('runs of one variant are named by the setting that differs', () => {
  const [a, b] = names(run('baseline', { requests: 600 }), run('baseline', { requests: 6000 }));
  expect(a).toBe('baseline · Requests 600');
  expect(b).toMatch(/^baseline · Requests 6.?000$/);
});

test('among many, only what is not usual is said', () => {
  expect(names(run('baseline'), run('optimized'), run('baseline', { seed: 7 }), run('baseline'))).toEqual([
    'baseline',
    'optimized',
    'baseline · seed 7',
    'baseline',
  ]);
});

test('a setting that this variant does not read is not in its name', () => {
  const [a, b] = names(
    run('baseline', { router: 'sglang_cache_aware' }),
    run('baseline', { router: 'llm_d' }),
  );
  expect([a, b]).toEqual(['baseline', 'baseline']);
});

test('two runs that were set alike have sides', () => {
  expect(pairNames(run('baseline'), run('baseline'), findTarget)).toEqual(['A · baseline', 'B · baseline']);
  expect(pairNames(run('baseline'), run('optimized'), findTarget)).toEqual(['baseline', 'optimized']);
});

test('a run of another target, or without settings, keeps its variant', () => {
  expect(names({ target: 'gone', variant: 'baseline', engine: 'http' })).toEqual(['baseline']);
});
