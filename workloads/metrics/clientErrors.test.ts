import { expect, it } from 'vitest';
import type { Distribution } from '../run/summary.ts';
import { clientErrors } from './clientErrors.ts';

const all = (value: number): Distribution => ({
  ...{ n: 100, mean: value, min: value, p50: value, p90: value, p95: value, p99: value, max: value },
});
const metrics = { ttft_ms: all(50), itl_ms: all(8) };
const quiet = {
  stamps: 'kernel' as const,
  self_test: { streams: 8, events_per_s: 400, ttft_error_p99_ms: 0.2, itl_error_p99_ms: 0.1 },
  schedule_delay_ms: all(1),
  event_loop_delay_p99_ms: 3,
  coalesced_share: 0.001,
};
const past = (client: Parameters<typeof clientErrors>[0]) =>
  clientErrors(client, metrics).flatMap(({ id, doubt }) => (doubt === undefined ? [] : [id]));

it('a client whose errors are small beside the medians is not doubted', () => {
  expect(past(quiet)).toEqual([]);
  expect(clientErrors(quiet, metrics).map(({ text }) => text)).toEqual([
    '200\u202fµs',
    '100\u202fµs',
    '1.00\u202fms',
    '3.00\u202fms',
    '0.100 %',
  ]);
});

it('each error is doubted past 10 % of the median that it moves', () => {
  expect(past({ ...quiet, self_test: { ...quiet.self_test, ttft_error_p99_ms: 5.1 } })).toEqual([
    'self_test_ttft',
  ]);
  expect(past({ ...quiet, self_test: { ...quiet.self_test, itl_error_p99_ms: 0.81 } })).toEqual([
    'self_test_itl',
  ]);
  expect(past({ ...quiet, schedule_delay_ms: all(5.1) })).toEqual(['schedule_delay']);
  expect(past({ ...quiet, coalesced_share: 0.02 })).toEqual(['coalesced']);
});

it('a late event loop moves stamps of the clock, not those of the kernel', () => {
  expect(past({ ...quiet, event_loop_delay_p99_ms: 40 })).toEqual([]);
  expect(past({ ...quiet, event_loop_delay_p99_ms: 40, stamps: 'clock' })).toEqual(['event_loop']);
});

it('without a self-test the error is unknown, and that is said', () => {
  const { self_test: _, ...untested } = quiet;
  const [ttft] = clientErrors(untested, metrics);
  expect(ttft?.text).toBeUndefined();
  expect(ttft?.doubt).toContain('its error is unknown');
});
