import { expect, test } from 'vitest';
import type { RunInfo } from '../../../electron/contract/protocol.ts';
import { parseQuery, settingNames, tellingSettings } from './query.ts';

const run = (settings: RunInfo['settings'], more: Partial<RunInfo> = {}): RunInfo => ({
  run: 'r',
  group: 'g',
  target: 'labs/dynamic_router:dynamic_router',
  title: 'Router',
  variant: 'policy',
  kind: 'serving',
  engine: 'sim',
  status: 'done',
  started: '2026-11-21T09:00:00Z',
  headline: { ttft_p95_ms: 420 },
  settings,
  tags: ['thesis'],
  note: 'with a longer gap',
  folder: '/runs/x',
  bytes: 1,
  ...more,
});
const h100 = run({ gpu: 'h100-sxm', router: 'sglang_cache_aware', tp: 2, prefix_reuse: true });
const found = (text: string, of = h100) => parseQuery(text, settingNames([h100])).matches(of);

test.each([
  ['gpu=h100 router=sglang tp=2 ttft_p95<500', true],
  ['ttft_p95<0.5s', true],
  ['ttft_p95<400', false],
  ['tp=22', false],
  ['router=SGLang-Cache', true],
  ['router!=sglang', false],
  ['tag=thesis', true],
  ['tag!=thesis', false],
  ['note~"longer gap"', true],
  ['prefix_reuse=true', true],
  ['started>2026-11-20', true],
  ['thesis gpu=h100', true],
  ['absent gpu=h100', false],
])('%j: %s', (text, expected) => {
  expect(found(text)).toBe(expected);
});

test('a run without the setting matches only what it is not', () => {
  expect(found('tp=2', run({}))).toBe(false);
  expect(found('tp<9', run({}))).toBe(false);
  expect(found('tp!=2', run({}))).toBe(true);
});

test('a name that no run has, and an order of words, are said', () => {
  expect(parseQuery('gpuu=h100', settingNames([h100])).problem).toBe('no run has "gpuu"; did you mean gpu?');
  expect(parseQuery('tp<many', settingNames([h100])).problem).toBe('tp<many: expected a number after <');
  expect(parseQuery('tp=2', settingNames([h100])).problem).toBeUndefined();
});

test('columns are the settings that differ', () => {
  const other = run({ gpu: 'h100-sxm', router: 'llm_d', tp: 2, prefix_reuse: true });
  const third = run({ gpu: 'h100-sxm', router: 'llm_d', tp: 4, prefix_reuse: true, size: 4 });
  // `size` says no more than `tp` does.
  expect(tellingSettings([h100, other, third], 5)).toEqual(['router', 'tp']);
});
