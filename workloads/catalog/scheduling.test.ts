import { describe, expect, test } from 'vitest';
import { runSpecOn } from '../engines/sim/tinyRun.ts';
import type { ParameterValues } from '../run/parameter.ts';
import type { Summary } from '../run/summary.ts';
import { generate } from '../traffic/generate.ts';
import { scheduling } from './scheduling.ts';

/** What the lesson says, on a shorter run. */
function run(variant: string, parameters: ParameterValues = {}): Summary {
  const spec = scheduling.spec({
    variant,
    engine: 'sim',
    parameters: { duration_s: 100, ...parameters },
    seed: 0,
    iterations: 1,
  });
  if (spec.traffic.kind === 'trace') throw new Error('no file was given');
  const { summary } = runSpecOn(
    { ...spec, detail: { requests: 'none', decisions: 'none', iterations: 'none' } },
    generate(spec.traffic, 0),
  );
  expect(summary.requests.completed).toBe(summary.requests.arrived);
  return summary;
}

describe('the scheduling target', () => {
  test('static batches mostly compute padding, buckets less, continuous batching none', () => {
    const plain = run('baseline');
    const buckets = run('complexity_buckets');
    const continuous = run('optimized');
    expect(plain.scheduling?.padding_share).toBeGreaterThan(0.7);
    expect(buckets.scheduling?.padding_share).toBeLessThan(0.65);
    expect(continuous.scheduling?.padding_share).toBeUndefined();
    expect(buckets.throughput_rps).toBeGreaterThan(1.5 * plain.throughput_rps);
    expect(continuous.throughput_rps).toBeGreaterThan(4 * buckets.throughput_rps);
  });

  test('prefill first: sooner first tokens, longer gaps', () => {
    const chunked = run('optimized').metrics;
    const first = run('prefill_first').metrics;
    expect(first.ttft_ms?.p50 ?? Number.NaN).toBeLessThan(chunked.ttft_ms?.p50 ?? 0);
    expect(first.itl_ms?.max ?? 0).toBeGreaterThan(3 * (chunked.itl_ms?.max ?? 0));
  });

  test('beyond capacity: shortest job helps the median and hurts the last, deadlines help those who cannot wait', () => {
    const fcfs = run('optimized', { rate_rps: 18 });
    const shortest = run('shortest_job', { rate_rps: 18 });
    const deadlines = run('slo_aware', { rate_rps: 18 });
    const classes = run('sla_buckets', { rate_rps: 18 });
    expect(shortest.metrics.ttft_ms?.p50 ?? Number.NaN).toBeLessThan(0.2 * (fcfs.metrics.ttft_ms?.p50 ?? 0));
    expect(shortest.metrics.ttft_ms?.p99 ?? 0).toBeGreaterThan(1.5 * (fcfs.metrics.ttft_ms?.p99 ?? 0));
    for (const aware of [deadlines, classes]) {
      expect(aware.scheduling?.first_class_in_time).toBeGreaterThan(
        2 * (fcfs.scheduling?.first_class_in_time ?? 1),
      );
    }
    expect(classes.metrics.itl_ms?.p99 ?? Number.NaN).toBeLessThan(0.5 * (fcfs.metrics.itl_ms?.p99 ?? 0));
  });

  test('a fast host link makes swapping better than recomputing, a slow one worse', () => {
    const memory = { rate_rps: 10, duration_s: 300, kv_memory: 'given', kv_blocks: 5000 };
    const recompute = run('optimized', memory);
    const fast = run('optimized', { ...memory, preemption: 'swap' });
    const slow = run('optimized', { ...memory, preemption: 'swap', swap_gb_per_s: 5 });
    expect(recompute.scheduling?.swap).toBeUndefined();
    expect(fast.scheduling?.swap?.outs ?? 0).toBeGreaterThan(10);
    expect(fast.metrics.e2e_ms?.mean ?? Number.NaN).toBeLessThan(recompute.metrics.e2e_ms?.mean ?? 0);
    expect(slow.metrics.e2e_ms?.mean ?? 0).toBeGreaterThan(recompute.metrics.e2e_ms?.mean ?? 0);
  });

  test('shares that leave no batch requests are refused', () => {
    expect(() => run('sla_buckets', { critical_share: 0.5, sensitive_share: 0.6 })).toThrow(
      '0.5 + 0.6 leave no batch requests, expected a sum below 1',
    );
  });
});
