import { expect, test } from 'vitest';
import type { RatioRow } from './comparison.ts';
import { verdictSentence } from './verdict.ts';

const row = (metric: string, ratio: number, significant: boolean): RatioRow => ({
  metric,
  baseline: 100,
  optimized: 100 * ratio,
  ratio,
  ci95: significant ? [ratio - 0.02, ratio + 0.02] : [0.9, 1.1],
  significant,
  better: metric === 'goodput_rps' ? 'higher' : 'lower',
  verdict: significant ? 'better' : 'no_evidence',
});

test('a significant effect of any percentile leads', () => {
  const rows = [
    row('ttft_ms.p95', 1.01, false),
    row('tpot_ms.p50', 0.63, true),
    row('goodput_rps', 1, false),
  ];
  expect(verdictSentence(rows)).toMatch(/^TPOT p50 is 37 % lower .*; TTFT p95: no evidence/);
});

test('what the target is about is said, first and whether it changed or not', () => {
  const rows = [row('ttft_ms.p95', 0.8, true), row('tpot_ms.p95', 0.7, true), row('goodput_rps', 1.2, true)];
  expect(verdictSentence(rows, { claims: ['goodput_rps'] })).toMatch(/^Goodput is 20 % higher/);
  expect(verdictSentence([row('tpot_ms.p95', 1, false)], { claims: ['tpot_ms'] })).toMatch(
    /TPOT p95: no evidence/,
  );
});

test('an overloaded side is said first, and no latency is compared', () => {
  const rows = [row('ttft_ms.p95', 0.001, true), row('goodput_rps', 5, true)];
  const overloaded = [{ side: 'baseline', arrivedRps: 24, servedRps: 6.2 }];
  expect(verdictSentence(rows, { overloaded })).toMatch(
    /^Overloaded: baseline: 24\.0 requests\/s arrive, 6\.20 are served\. .*Goodput is 5\.0 times as high/,
  );
  expect(verdictSentence(rows, { overloaded })).not.toContain('TTFT');
});
