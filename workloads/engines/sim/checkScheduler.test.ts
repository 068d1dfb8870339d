import { expect, test } from 'vitest';
import { InputError } from '../../run/inputError.ts';
import type { SchedulerPolicySpec } from '../../run/schedulerSpec.ts';
import type { RunSpec } from '../../run/spec.ts';
import { checkScheduler } from './checkScheduler.ts';
import { type TinyCluster, tinySpec } from './tinyRun.ts';

const fixed: SchedulerPolicySpec = { kind: 'static', batch: 4, wait_ms: 0 };

function complaint(policy: SchedulerPolicySpec, tiny: TinyCluster = {}, more: Partial<RunSpec> = {}): string {
  const base = tinySpec(tiny);
  const spec: RunSpec = {
    ...base,
    ...more,
    cluster: { ...base.cluster, scheduler: { ...base.cluster.scheduler, policy } },
  };
  try {
    checkScheduler(spec);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return '';
}

test('static batching where requests would have to move is refused', () => {
  expect(complaint(fixed)).toBe('');
  expect(complaint(fixed, { instances: [{ pool: 'prefill' }, { pool: 'decode' }] })).toContain(
    'static batching on instance i0 of the prefill pool, expected mixed instances',
  );
  expect(complaint(fixed, { router: 'score' })).toContain(
    'static batching with the router score, which moves requests between instances',
  );
  expect(
    complaint(fixed, {
      router: 'score',
      routerParameters: { hand_off: 'never', migration_budget: 0 },
    }),
  ).toBe('');
});

test('static batching on instances that may go is refused', () => {
  const crash = { timeline: [{ event: 'crash' as const, at_s: 1, instance: 0 }] };
  expect(complaint(fixed, {}, crash)).toContain('static batching with a crash in the timeline');
  const slow = { timeline: [{ event: 'slow' as const, at_s: 1, instance: 0, factor: 2 }] };
  expect(complaint(fixed, {}, slow)).toBe('');
});

test('bounds of buckets grow', () => {
  const bucket = (up_to_tokens: number) => ({ name: `${up_to_tokens}`, up_to_tokens, batch: 1 });
  const buckets = { predictor_error: 0.5, list: [bucket(100), bucket(100)] };
  expect(complaint({ ...fixed, buckets })).toContain('bounds 100, 100 tokens, expected each larger');
});

test('an order by classes or deadlines needs them', () => {
  const policy = (kind: 'class_priority' | 'earliest_deadline'): SchedulerPolicySpec => ({
    kind: 'chunked_prefill',
    order: kind === 'class_priority' ? { kind } : { kind, late_last: true },
    preemption: { kind: 'recompute' },
  });
  expect(complaint(policy('class_priority'))).toContain('class_priority without classes');
  expect(complaint(policy('earliest_deadline'))).toContain('earliest_deadline without a deadline');
  expect(complaint(policy('earliest_deadline'), { slo: { ttft_ms: 5 } })).toBe('');
});
