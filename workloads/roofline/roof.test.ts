import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findGpu, gpus } from '../hardware/gpus.ts';
import {
  type Ceilings,
  dataSheetCeilings,
  type MeasuredCeilings,
  measuredCeilings,
  preferring,
} from './ceilings.ts';
import { attentionPoint, copyPoint, gemmPoint, paddingWaste, triadPoint } from './kernels.ts';
import { isMixed, mainPrecision, type RooflinePoint, summed, totalWork } from './point.ts';
import { assess, position, ridge, roofAt } from './roof.ts';

/** A card with round numbers: 1 TB/s HBM, 4 TB/s L2, 100 TFLOP/s BF16, 10 TFLOP/s FP32. */
const ceiling = (value: number) => ({ value, basis: 'data_sheet' as const, source: 'made up' });
const card: Ceilings = {
  card: 'round numbers',
  memory: { hbm: ceiling(1e12), l2: ceiling(4e12) },
  compute: { bf16: ceiling(100e12), fp8: ceiling(200e12), fp32: ceiling(10e12) },
  absent: [],
};
const point = (over: Partial<RooflinePoint>): RooflinePoint => ({
  id: 'p',
  label: 'p',
  source: 'captured',
  work: { bf16: 1e9 },
  bytes: { hbm: 1e9 },
  formula: [],
  notes: [],
  ...over,
});
const known = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('expected a value');
  return value;
};

describe('bounds', () => {
  it('left of the ridge memory bounds, right of it compute', () => {
    expect(ridge(100e12, 1e12)).toBe(100);
    expect(roofAt(50, 100e12, 1e12)).toBe(50e12);
    expect(roofAt(200, 100e12, 1e12)).toBe(100e12);
    // 1e9 FLOP over 1e9 B: 1 ms by HBM, 10 µs by compute
    const memory = known(assess(point({}), card));
    expect(memory.bound).toMatchObject({ kind: 'memory', level: 'hbm' });
    expect(memory.bestNs).toBeCloseTo(1e6, 6);
    expect(memory.attainable).toBeCloseTo(1e12, 0);
    const compute = known(assess(point({ work: { bf16: 1e12 } }), card));
    expect(compute.bound).toMatchObject({ kind: 'compute', precision: 'bf16', pipe: 'tensor' });
    expect(compute.attainable).toBeCloseTo(100e12, 0);
  });

  it('the tightest level bounds: few HBM bytes, many L2 bytes', () => {
    const assessed = known(assess(point({ bytes: { hbm: 1e8, l2: 8e9 } }), card));
    expect(assessed.bound).toMatchObject({ kind: 'memory', level: 'l2' });
    expect(assessed.bestNs).toBeCloseTo(2e6, 6);
    expect(assessed.intensity).toEqual({ hbm: 10, l2: 0.125 });
  });

  it('precisions of the tensor pipe share it; CUDA cores work beside it', () => {
    const assessed = known(
      assess(point({ work: { bf16: 1e12, fp8: 2e12, fp32: 1e11 }, bytes: { hbm: 1 } }), card),
    );
    // 10 ms + 10 ms on the tensor pipe; 10 ms on CUDA cores meanwhile
    expect(assessed.bestNs).toBeCloseTo(20e6, 3);
  });

  it('says how far from the roof a timed point is, and calls a far one latency-bound', () => {
    const near = known(assess(point({ timeNs: 1.25e6 }), card));
    expect(near.efficiency).toBeCloseTo(0.8, 9);
    expect(near.achieved).toBeCloseTo(0.8e12, 0);
    expect(near.verdict).toBe('bound by HBM bandwidth: 80 % of the roof');
    const far = known(assess(point({ timeNs: 10e6, threads: 1024 }), card));
    expect(far.bound.kind).toBe('latency');
    expect(far.verdict).toBe('latency-bound: 10 % of its nearest roof (HBM bandwidth)');
    expect(far.bound.kind === 'latency' && far.bound.reason).toContain('1024 threads cannot fill the card');
  });

  it('calls no simulated point latency-bound: its cost model knows none', () => {
    const slow = known(assess(point({ source: 'simulated', timeNs: 10e6 }), card));
    expect(slow.verdict).toBe('bound by HBM bandwidth: 10 % of the roof');
  });

  it('a point above its roof is a warning, never a winner', () => {
    const above = known(assess(point({ timeNs: 0.5e6 }), card));
    expect(above.warnings[0]).toContain('200 % of the roof is impossible');
    expect(known(assess(point({ timeNs: 0.99e6 }), card)).warnings).toEqual([]);
  });

  it('names a ceiling that is missing, and gives up only where none applies', () => {
    expect(known(assess(point({ work: { int8: 1e9 } }), card)).warnings[0]).toContain('INT8 tensor');
    expect(assess(point({ work: { int8: 1 }, bytes: {} }), card)).toBeUndefined();
  });

  it('a copy has a bound and no place on the chart', () => {
    const copy = copyPoint(5e8);
    const assessed = known(assess(copy, card));
    expect(assessed.bestNs).toBeCloseTo(1e6, 6);
    expect(assessed.intensity.hbm).toBe(0);
    expect(position(copy, 'hbm', assessed)).toBeUndefined();
    expect(position(point({}), 'hbm', known(assess(point({}), card)))).toEqual({ intensity: 1, rate: 1e12 });
  });

  it('attainable never exceeds any roof, and meets one', () => {
    const positive = fc.double({ min: 1, max: 1e15, noNaN: true });
    fc.assert(
      fc.property(positive, positive, positive, (work, hbm, l2) => {
        const assessed = known(assess(point({ work: { bf16: work }, bytes: { hbm, l2 } }), card));
        const roofs = [roofAt(work / hbm, 100e12, 1e12), roofAt(work / l2, 100e12, 4e12)];
        expect(Math.abs(assessed.attainable / Math.min(...roofs) - 1)).toBeLessThan(1e-9);
      }),
    );
  });
});

describe('points', () => {
  it('sums work, bytes and time; never averages intensities', () => {
    const sum = known(
      summed('s', 's', [
        point({ work: { bf16: 10 }, bytes: { hbm: 10, l2: 5 }, timeNs: 1 }),
        point({ work: { bf16: 1, fp32: 2 }, bytes: { hbm: 100 }, timeNs: 9 }),
      ]),
    );
    expect(sum).toMatchObject({ work: { bf16: 11, fp32: 2 }, bytes: { hbm: 110 }, timeNs: 10 });
    expect(sum.bytes.l2).toBeUndefined();
    expect(summed('s', 's', [point({ timeNs: 1 }), point({})])?.timeNs).toBeUndefined();
    expect(summed('s', 's', [])).toBeUndefined();
  });

  it('takes the precision of the largest share', () => {
    expect(mainPrecision(point({ work: { fp32: 1, fp8: 5, bf16: 4 } }))).toBe('fp8');
    expect(isMixed(point({ work: { fp32: 1, fp8: 50 } }))).toBe(false);
    expect(isMixed(point({ work: { bf16: 40, fp8: 60 } }))).toBe(true);
    expect(mainPrecision(copyPoint(1))).toBeUndefined();
  });

  it('kernels by hand', () => {
    const gemm = gemmPoint(4096, 4096, 4096, 'bf16', 2);
    expect(totalWork(gemm)).toBe(137_438_953_472);
    expect(gemm.bytes.hbm).toBe(3 * 4096 * 4096 * 2);
    expect(totalWork(triadPoint(1000))).toBe(2000);
    expect(triadPoint(1000).bytes.hbm).toBe(12_000);
    const size = { batch: 1, heads: 32, kvHeads: 8, headDim: 128, queries: 2048, keys: 2048 };
    const full = totalWork(attentionPoint({ ...size, causal: false }, 'bf16', 2));
    expect(full).toBe(4 * 32 * 128 * 2048 * 2048);
    expect(totalWork(attentionPoint({ ...size, causal: true }, 'bf16', 2)) / full).toBeCloseTo(0.5, 3);
    // The 8192³ product measured on an H200: 1,116,691,496,960 counted operations
    expect(paddingWaste(1_116_691_496_960, 2 * 8192 * 8192 * 8192)).toBeCloseTo(0.0156, 4);
  });
});

describe('ceilings', () => {
  it('the H100 data sheet: L1 by 128 B per cycle and SM, no L2', () => {
    const h100 = dataSheetCeilings(known(findGpu('h100-sxm')));
    expect(h100.memory.l1?.value).toBeCloseTo(33.45e12, -10);
    expect(h100.memory.l2).toBeUndefined();
    expect(h100.absent[0]).toContain('L2');
    expect(h100.compute.fp16?.value).toBe(h100.compute.bf16?.value);
  });

  it('every card has HBM and BF16 ceilings, a ridge above 1, and says which formats it lacks', () => {
    for (const gpu of gpus) {
      const ceilings = dataSheetCeilings(gpu);
      expect(ridge(known(ceilings.compute.bf16).value, known(ceilings.memory.hbm).value)).toBeGreaterThan(1);
      expect(ceilings.absent.some((line) => line.startsWith('fp8'))).toBe(gpu.peak.fp8 === undefined);
    }
  });

  it('measured ceilings take the best variant, and go before the data sheet', () => {
    const one = (id: string, value: number, unit = 'bytes/s') => ({
      id,
      value,
      unit,
      repetitions: 5,
      definition: 'A kernel.',
    });
    const run: MeasuredCeilings = {
      name: 'NVIDIA H200',
      cudaDriver: '13.0',
      ceilings: [
        one('deviceCopy', 4.2e12),
        one('hbmRead', 4.4e12),
        one('l2Read', 9e12),
        one('gemm:bf16', 7.8e14, 'FLOP/s'),
        one('launchLatency', 2e-6, 's'),
      ],
      waived: [{ id: 'gemm:fp8', reason: 'cuBLASLt was not found' }],
    };
    const merged = preferring(measuredCeilings(run), dataSheetCeilings(known(findGpu('h200'))));
    expect(merged.memory.hbm).toMatchObject({ value: 4.4e12, basis: 'measured' });
    expect(merged.memory.l1?.basis).toBe('data_sheet');
    expect(merged.compute.bf16?.value).toBe(7.8e14);
    expect(merged.compute.fp8?.basis).toBe('data_sheet');
    expect(merged.absent).toEqual([
      'gemm:fp8: cuBLASLt was not found',
      'fp4: H200 SXM has no such tensor cores',
    ]);
    expect(merged.memory.hbm?.source).toBe('A kernel. Median of 5, CUDA driver 13.0.');
  });
});
