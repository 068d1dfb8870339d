import { describe, expect, test } from 'vitest';
import { runSpecOn, tinySpec, tinyTraffic } from '../../engines/sim/tinyRun.ts';
import type { SchedulerPolicySpec } from '../../run/schedulerSpec.ts';

/**
 * The schedule of the published continuous-batching lab: 144 requests of 1..32 steps, batches of at most 12. Its lengths are
 * `random.seed(123); [random.randint(1, 32) …]` of CPython, drawn again here by the same generator.
 */
function lengths(): number[] {
  const next = mersenneTwister(123);
  // randint(1, 32) = 1 + randbelow(32): six bits at a time, drawn again while they are 32 or more.
  const below32 = (): number => {
    for (;;) {
      const bits = next() >>> 26;
      if (bits < 32) return bits;
    }
  };
  return Array.from({ length: 144 }, () => 1 + below32());
}

/** MT19937 (Matsumoto and Nishimura 1998), seeded by CPython's init_by_array([seed]). */
function mersenneTwister(seed: number): () => number {
  const size = 624;
  const state = new Uint32Array(size);
  const mix = (at: number, factor: number): number => {
    const before = state[at - 1] ?? 0;
    return Math.imul(before ^ (before >>> 30), factor);
  };
  state[0] = 19650218;
  for (let i = 1; i < size; i++) state[i] = mix(i, 1812433253) + i;
  const wrap = (i: number): number => {
    if (i < size) return i;
    state[0] = state[size - 1] ?? 0;
    return 1;
  };
  let i = 1;
  for (let k = 0; k < size; k++) {
    state[i] = ((state[i] ?? 0) ^ mix(i, 1664525)) + seed;
    i = wrap(i + 1);
  }
  for (let k = 1; k < size; k++) {
    state[i] = ((state[i] ?? 0) ^ mix(i, 1566083941)) - i;
    i = wrap(i + 1);
  }
  state[0] = 0x80000000;
  let at = size;
  return () => {
    if (at === size) {
      for (let k = 0; k < size; k++) {
        const y = ((state[k] ?? 0) & 0x80000000) | ((state[(k + 1) % size] ?? 0) & 0x7fffffff);
        state[k] = (state[(k + 397) % size] ?? 0) ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df);
      }
      at = 0;
    }
    let y = state[at++] ?? 0;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/** Every request is there at 0; its prompt of one token is its first step. */
function steps(policy: SchedulerPolicySpec) {
  const base = tinySpec({ sequences: 12, instances: [{ blocks: 10_000 }], reuse: false });
  const spec = {
    ...base,
    cluster: { ...base.cluster, scheduler: { ...base.cluster.scheduler, policy } },
  };
  const { sink } = runSpecOn(spec, tinyTraffic(lengths().map((output) => ({ at: 0, prompt: 1, output }))));
  const passes = sink.table('iterations').map((row) => ({
    count: Number(row['passes']),
    rows: Number(row['prefill_tokens']) + Number(row['decode_sequences']),
  }));
  const sum = (of: (pass: { count: number; rows: number }) => number) =>
    passes.reduce((total, pass) => total + of(pass), 0);
  return {
    steps: sum((p) => p.count),
    rowSteps: sum((p) => p.count * p.rows),
    full: sum((p) => (p.rows === 12 ? p.count : 0)),
  };
}

describe('the published lab’s schedule', () => {
  test('has 2345 tokens', () => {
    expect(lengths().reduce((a, b) => a + b, 0)).toBe(2345);
  });

  test('static: 12 groups of 12 take 357 steps and 4284 row-steps', () => {
    expect(steps({ kind: 'static', batch: 12, wait_ms: 0 })).toMatchObject({ steps: 357, rowSteps: 4284 });
  });

  test('continuous: 203 steps, 187 of them full, and not a row more than tokens', () => {
    const fcfs = { order: { kind: 'fcfs' }, preemption: { kind: 'recompute' } } as const;
    expect(steps({ kind: 'chunked_prefill', ...fcfs })).toEqual({ steps: 203, rowSteps: 2345, full: 187 });
  });
});
