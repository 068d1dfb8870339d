import { describe, expect, it } from 'vitest';
import { counterPoint, fastRoofline, fullRoofline, metricsOf, observedCeilings, total } from './counters.ts';

const of = (metrics: Readonly<Record<string, number>>) => (name: string) => metrics[name];
const point = (metrics: Readonly<Record<string, number>>) =>
  counterPoint({ id: 'k', label: 'k', source: 'captured', metrics: of(metrics) });

describe('work from counters', () => {
  it('an 8192³ BF16 product on an H200 counts under hgmma, not hmma', () => {
    const gemm = point({
      'sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32.sum': 1_116_691_496_960,
      'sm__ops_path_tensor_op_hmma_src_bf16_dst_fp32.sum': 0,
      'dram__bytes_read.sum': 1.154e9,
      'dram__bytes_write.sum': 0.13e9,
      'lts__t_bytes.sum': 8.2e9,
      'gpu__time_duration.sum': 1_388_000,
    });
    expect(gemm.work).toEqual({ bf16: 1_116_691_496_960 });
    expect(gemm.bytes).toEqual({ hbm: 1.284e9, l2: 8.2e9 });
    expect(gemm.timeNs).toBe(1_388_000);
  });

  it('warns where only hmma was counted', () => {
    expect(point({ 'sm__ops_path_tensor_op_hmma_src_bf16_dst_fp32.sum': 0 }).notes.join()).toContain('hgmma');
  });

  it('FP8 has its own name, whole, halved by sparsity, or split by destination on other chips', () => {
    expect(point({ 'sm__ops_path_tensor_src_fp8.sum': 7 }).work.fp8).toBe(7);
    expect(
      point({
        'sm__ops_path_tensor_src_fp8_sparsity_off.sum': 5,
        'sm__ops_path_tensor_src_fp8_sparsity_on.sum': 1,
      }).work.fp8,
    ).toBe(6);
    expect(
      point({ 'sm__ops_path_tensor_src_fp8_dst_fp32.sum': 3, 'sm__ops_path_tensor_src_fp8_dst_fp16.sum': 4 })
        .work.fp8,
    ).toBe(7);
  });

  it('INT8 counts under igmma, TF32 under its own hgmma; each is a precision with a roof', () => {
    const int8 = point({ 'sm__ops_path_tensor_op_igmma_src_int8.sum': 8, 'gpu__time_duration.sum': 4 });
    expect(int8.work).toEqual({ int8: 8 });
    expect(point({ 'sm__ops_path_tensor_op_hgmma_src_tf32_dst_fp32.sum': 6 }).work).toEqual({ tf32: 6 });
    for (const name of ['igmma_src_int8', 'hgmma_src_tf32_dst_fp32'])
      expect(metricsOf(fullRoofline)).toContain(`sm__ops_path_tensor_op_${name}.sum`);
  });

  it('weighs CUDA-core instructions: 2 per FMA, packed halves twice', () => {
    const op = (name: string) => `smsp__sass_thread_inst_executed_op_${name}_pred_on.sum`;
    expect(point({ [op('fadd')]: 1, [op('fmul')]: 10, [op('ffma')]: 100 }).work.fp32).toBe(211);
    expect(point({ [op('hadd')]: 1, [op('hmul')]: 10, [op('hfma')]: 100 }).work.fp32).toBe(422);
    expect(point({ [op('dadd')]: 1, [op('dfma')]: 100 }).work.fp64).toBe(201);
  });

  it('adds TMA to the L1 level, and says when it was not counted', () => {
    const tma = point({
      'l1tex__t_bytes.sum': 100,
      'l1tex__m_xbar2l1tex_read_bytes_mem_global_op_tma_ld.sum': 30,
      'l1tex__m_l1tex2xbar_write_bytes_mem_global_op_tma_st.sum': 3,
    });
    expect(tma.bytes.l1).toBe(133);
    expect(tma.notes.join()).not.toContain('TMA');
    expect(point({ 'l1tex__t_bytes.sum': 100 }).notes.join()).toContain('TMA transfers were not counted');
  });

  it('makes a total of a rate where a section collected only that', () => {
    expect(
      total(of({ 'dram__bytes.sum.per_second': 4e12, 'gpu__time_duration.sum': 1000 }), 'dram__bytes'),
    ).toBe(4e6);
    expect(total(of({ 'smsp__x.sum.per_cycle_elapsed': 2, 'smsp__cycles_elapsed.avg': 50 }), 'smsp__x')).toBe(
      100,
    );
    expect(total(of({}), 'dram__bytes')).toBeUndefined();
  });

  it('tells unknown from zero', () => {
    const nothing = point({});
    expect(nothing.work).toEqual({});
    expect(nothing.bytes).toEqual({});
    expect(nothing.timeNs).toBeUndefined();
    expect(nothing.notes.length).toBeGreaterThan(0);
  });
});

describe('what to ask for', () => {
  it('the fast set has 8 metrics, the full one 22, none twice', () => {
    expect(metricsOf(fastRoofline)).toHaveLength(8);
    const full = metricsOf(fullRoofline);
    expect(new Set(full).size).toBe(full.length);
    expect(full).toHaveLength(22);
  });
});

it('the roof at the observed clock: an H200 at 1,980 and 3,199 MHz', () => {
  const ceilings = observedCeilings(
    'NVIDIA H200',
    of({
      'dram__bytes.sum.peak_sustained': 1504,
      'dram__cycles_elapsed.avg.per_second': 3_199_371_148,
      'sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32_sparsity_off.sum.peak_sustained': 540_672,
      'sm__cycles_elapsed.avg.per_second': 1_979_701_332,
    }),
  );
  expect(ceilings.memory.hbm?.value).toBeCloseTo(4.8119e12, -9);
  expect(ceilings.compute.bf16?.value).toBeCloseTo(1.0704e15, -12);
  expect(ceilings.compute.fp32).toBeUndefined();
});
