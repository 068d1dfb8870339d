import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { simReplicate } from '../engines/sim/simReplicate.ts';
import { KeepingSink, type TinyRequest, tinySpec, tinyTraffic } from '../engines/sim/tinyRun.ts';
import { Recorder } from '../record/recorder.ts';
import type { SchedulerPolicySpec } from '../run/schedulerSpec.ts';
import { meanOfLongest } from './collectedGaps.ts';

const recompute = { kind: 'recompute' } as const;
const policies: readonly (SchedulerPolicySpec | undefined)[] = [
  undefined,
  { kind: 'prefill_first', order: { kind: 'fcfs' }, preemption: recompute },
  { kind: 'chunked_prefill', order: { kind: 'shortest_prompt', aging: 0 }, preemption: recompute },
  { kind: 'static', batch: 3, wait_ms: 100 },
];

function run(policy: SchedulerPolicySpec | undefined, requests: readonly TinyRequest[], blocks = 10_000) {
  const base = tinySpec({ instances: [{ blocks }], sequences: 5, budget: 32 });
  const spec = {
    ...base,
    cluster: {
      ...base.cluster,
      scheduler: { ...base.cluster.scheduler, ...(policy === undefined ? {} : { policy }) },
    },
  };
  const sink = new KeepingSink();
  const recorder = new Recorder(spec, sink);
  const replicate = simReplicate(spec, tinyTraffic(requests), 0, recorder, () => {});
  while (!replicate.advance(Number.POSITIVE_INFINITY, 1000));
  replicate.close();
  recorder.flush();
  return { replicate, passes: sink.table('iterations') };
}

/** Ends of the passes that gave tokens: with fixed rates all passes of a row take the same time. */
function decodeEnds(passes: readonly Record<string, number | string>[]): number[] {
  return passes.flatMap((row) => {
    if (Number(row['decode_sequences']) === 0) return [];
    const [start, end, count] = [Number(row['start_ns']), Number(row['end_ns']), Number(row['passes'])];
    return Array.from({ length: count }, (_, i) => start + ((i + 1) * (end - start)) / count);
  });
}

function naive(times: readonly number[]): number {
  const gaps = times.slice(1).map((t, i) => t - (times[i] ?? 0));
  const longest = gaps.sort((a, b) => b - a).slice(0, Math.ceil(gaps.length / 10));
  return longest.reduce((a, b) => a + b, 0) / longest.length;
}

describe('TBT10', () => {
  test.each(policies.map((policy) => [policy?.kind ?? 'as ever', policy] as const))(
    'is what one gets token by token: %s',
    (_, policy) => {
      const requests = fc.array(
        fc.record({
          at: fc.integer({ min: 0, max: 20_000 }),
          prompt: fc.integer({ min: 1, max: 90 }),
          output: fc.integer({ min: 1, max: 60 }),
        }),
        { minLength: 1, maxLength: 15 },
      );
      fc.assert(
        fc.property(requests, (drawn) => {
          const sorted = [...drawn].sort((a, b) => a.at - b.at);
          const { replicate, passes } = run(policy, sorted);
          const ends = decodeEnds(passes);
          const { firstTokenNs, finishNs, tbt10Ns } = replicate.requests;
          sorted.forEach(({ output }, r) => {
            const first = firstTokenNs[r] ?? 0;
            const times = [first, ...ends.filter((t) => t > first && t <= (finishNs[r] ?? 0))];
            expect(times.length).toBe(output);
            if (output === 1) expect(tbt10Ns[r]).toBeNaN();
            else expect(tbt10Ns[r]).toBeCloseTo(naive(times), 3);
          });
        }),
        { numRuns: 80, endOnFailure: true },
      );
    },
  );

  test('the gap of a preemption counts: with swap, and with recomputation', () => {
    const requests = [
      { at: 0, prompt: 15, output: 20 },
      { at: 0, prompt: 14, output: 8 },
    ];
    const swap = { kind: 'swap', bandwidth_gb_per_s: 2.097152, latency_us: 500, host_gb: 1 } as const;
    for (const preemption of [swap, recompute]) {
      const policy = { kind: 'chunked_prefill', order: { kind: 'fcfs' }, preemption } as const;
      const { replicate } = run(policy, requests, 3);
      // Seven gaps: the longest tenth is the longest one, in which it waited.
      const longest = replicate.itlMs.distribution()?.max ?? 0;
      expect(longest).toBeGreaterThan(1500);
      expect((replicate.requests.tbt10Ns[1] ?? 0) / 1e6).toBeCloseTo(longest, 6);
      expect(replicate.requests.keptGaps.size).toBe(0);
    }
  });

  test('a pass that grows with the context: within 0.1 % of token by token', () => {
    const base = tinySpec({});
    const roofline = {
      kind: 'roofline',
      gpu: 'h200',
      tensor_parallel: 1,
      compute_efficiency: 0.6,
      memory_efficiency: 0.8,
      iteration_overhead_us: 500,
    } as const;
    const spec = {
      ...base,
      cluster: {
        ...base.cluster,
        instances: base.cluster.instances.map((i) => ({ ...i, cost: roofline, kv_blocks: 100_000 })),
      },
    };
    const traffic = tinyTraffic(Array.from({ length: 40 }, () => ({ at: 0, prompt: 100, output: 5001 })));
    const replicate = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
    const ends: number[] = [];
    const instance = replicate.instances[0];
    if (instance === undefined) throw new Error('no instance');
    // Looked at after each pass, so that every pass is seen.
    replicate.advance(0, 100);
    while (instance.counters.completed === 0) {
      const end = instance.endNs;
      instance.advanceTo(end + 1);
      if (instance.counters.decodePassNs > 0) ends.push(end);
    }
    const gaps = replicate.requests.tbt10Ns[39] ?? 0;
    const expected = naive([replicate.requests.firstTokenNs[39] ?? 0, ...ends]);
    expect(Math.abs(gaps / expected - 1)).toBeLessThan(0.001);

    // And in one go, where a run of passes is a few entries.
    const whole = simReplicate(spec, traffic, 0, new Recorder(spec, new KeepingSink()), () => {});
    while (!whole.advance(Number.POSITIVE_INFINITY, 1000));
    expect(Math.abs((whole.requests.tbt10Ns[39] ?? 0) / expected - 1)).toBeLessThan(0.001);
  });
});

test('the mean of the longest is that of a sort', () => {
  const drawn = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5 })), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(drawn, fc.integer({ min: 1, max: 60 }), (entries, wanted) => {
      const all = entries.flatMap(([value, count]) => Array.from({ length: count }, () => value));
      const sum = all
        .sort((a, b) => b - a)
        .slice(0, wanted)
        .reduce((a, b) => a + b, 0);
      const values = Float64Array.from(entries, ([value]) => value);
      const counts = Float64Array.from(entries, ([, count]) => count);
      expect(meanOfLongest(values, counts, entries.length, wanted)).toBeCloseTo(sum / wanted, 9);
    }),
  );
});
