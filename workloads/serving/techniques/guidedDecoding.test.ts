import { expect, test } from 'vitest';
import { runSpecOn, tinySpec, tinyTraffic } from '../../engines/sim/tinyRun.ts';
import { gaussianAt, uniformAt } from '../../run/counterRandom.ts';
import { runSpec } from '../../run/spec.ts';
import type { GuidedSpec } from '../../run/techniqueSpec.ts';

const plain: GuidedSpec = {
  kind: 'guided',
  share: 1,
  mask: { median_us: 1000, sigma: 0 },
  threads: 1,
  overlapped: false,
  mask_bits: 1,
  apply_us: 0,
};

function run(technique: Partial<GuidedSpec> | undefined, sequences = 4, output = 101) {
  const tiny = tinySpec({ sequences: 512, reuse: false });
  const spec = runSpec.parse({
    ...tiny,
    cluster: {
      ...tiny.cluster,
      instances: [
        {
          name: 'i0',
          pool: 'mixed',
          cost: {
            kind: 'roofline',
            gpu: 'h100-sxm',
            tensor_parallel: 1,
            compute_efficiency: 0.6,
            memory_efficiency: 0.8,
            iteration_overhead_us: 500,
          },
          serves: 'modelled' as const,
          kv_blocks: 100_000,
        },
      ],
      ...(technique === undefined ? {} : { technique: { ...plain, ...technique } }),
    },
  });
  const { summary } = runSpecOn(
    spec,
    tinyTraffic(Array.from({ length: sequences }, () => ({ at: 0, prompt: 100, output }))),
  );
  return { tpot: summary.metrics.tpot_ms?.mean ?? 0, ...summary.technique };
}

const free = run(undefined).tpot;

test('four masks of 1 ms lengthen each pass by 4 ms, on two threads by 2, on eight by the slowest one', () => {
  const longer = (technique: Partial<GuidedSpec>) => run(technique).tpot - free;
  // Copy and kernel: 4 × 128,256 entries, well below 0.01 ms.
  expect(longer({})).toBeCloseTo(4, 1);
  expect(longer({ threads: 2 })).toBeCloseTo(2, 1);
  expect(longer({ threads: 8 })).toBeCloseTo(1, 1);
});

test('overlapped masks cost nothing while they are shorter than the pass, and their excess beyond', () => {
  expect(run({ overlapped: true }).tpot / free).toBeLessThan(1.005);
  const slow = run({ overlapped: true, mask: { median_us: 3000, sigma: 0 } });
  expect(slow.tpot).toBeCloseTo(12, 1);
});

test('only guided requests have masks, and each state its own time', () => {
  const half = run({ share: 0.5 }, 200, 20);
  const all = run({}, 200, 20);
  const extra = (row: { tpot: number }) => row.tpot - run(undefined, 200, 20).tpot;
  expect(extra(half) / extra(all)).toBeGreaterThan(0.4);
  expect(extra(half) / extra(all)).toBeLessThan(0.6);
  expect(run({ share: 0 }).mask_ms).toBeUndefined();
  const spread = run({ mask: { median_us: 1000, sigma: 0.8 } }, 20, 500);
  // The mean of a log-normal: median × e^(σ²/2).
  expect((spread.mask_ms ?? 0) / Math.exp(0.32)).toBeCloseTo(1, 1);
  expect(run({})).toEqual(run({}));
});

test('draws by counter are even, independent of their neighbours, and the same whenever asked', () => {
  const n = 40_000;
  let sum = 0;
  let product = 0;
  let normal = 0;
  let square = 0;
  for (let i = 0; i < n; i++) {
    const u = uniformAt(12345, i % 7, i);
    sum += u;
    product += (u - 0.5) * (uniformAt(12345, i % 7, i + 1) - 0.5);
    const z = gaussianAt(99, 3, i);
    normal += z;
    square += z * z;
  }
  expect(Math.abs(sum / n - 0.5)).toBeLessThan(0.006);
  expect(Math.abs(product / n)).toBeLessThan(0.0017);
  expect(Math.abs(normal / n)).toBeLessThan(0.02);
  expect(square / n).toBeCloseTo(1, 1);
  expect(uniformAt(1, 2, 3)).toBe(uniformAt(1, 2, 3));
});
