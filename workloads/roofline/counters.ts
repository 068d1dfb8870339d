import type { BytesPerSec, FlopPerSec, Ns } from '../units.ts';
import type { Ceiling, Ceilings, MemoryLevel } from './ceilings.ts';
import type { PointSource, RooflinePoint } from './point.ts';
import type { Precision } from './precision.ts';

/**
 * Points from hardware counters, by CUPTI in the process or by ncu. Names are NVIDIA's; base units (bytes, ns).
 *
 *     T      = gpu__time_duration.sum
 *     F_tc   = Σ sm__ops_path_tensor_*                       2 per multiply-add; counts padded tiles
 *     F_fp32 = fadd + fmul + 2·ffma                          smsp__sass_thread_inst_executed_op_*_pred_on.sum
 *     F_fp16 = 2·(hadd + hmul) + 4·hfma                      packed half2, as ncu's half chart weighs them
 *     F_fp64 = dadd + dmul + 2·dfma
 *     Q_HBM  = dram__bytes_read + dram__bytes_write          Q_L2 = lts__t_bytes
 *     Q_L1   = l1tex__t_bytes + TMA loads + TMA stores
 *
 * Hopper's traps, each of which has drawn a wrong roofline somewhere:
 * - wgmma (every modern GEMM) counts under `op_hgmma`; `op_hmma` reads 0 for it.
 * - FP8 has a name of its own, `sm__ops_path_tensor_src_fp8`; there is no qgmma operation counter.
 * - `l1tex__t_bytes` does not see TMA: CUTLASS 3 and FlashAttention 3 kernels load past it.
 * - Multiplying `sm__inst_executed_pipe_tensor` by 512 is Volta's factor.
 * - Names differ by chip: GB202 splits `src_fp8` by destination, GA100 has no FP8. So candidates, and what is there counts.
 */
export type MetricLookup = (name: string) => number | undefined;

/** Groups by how many replay passes they cost on GH100 (range profiler, CUDA 13.0): bytes+tensor is 1, all of them 4. */
export const metricGroups = {
  bytes: [
    'gpu__time_duration.sum',
    'dram__bytes_read.sum',
    'dram__bytes_write.sum',
    'lts__t_bytes.sum',
    'l1tex__t_bytes.sum',
  ],
  tma: [
    'l1tex__m_xbar2l1tex_read_bytes_mem_global_op_tma_ld.sum',
    'l1tex__m_l1tex2xbar_write_bytes_mem_global_op_tma_st.sum',
  ],
  warpgroupMma: [
    'sm__ops_path_tensor_op_hgmma_src_bf16_dst_fp32.sum',
    'sm__ops_path_tensor_op_hgmma_src_fp16.sum',
    'sm__ops_path_tensor_src_fp8.sum',
  ],
  warpMma: [
    'sm__ops_path_tensor_op_hmma_src_bf16_dst_fp32.sum',
    'sm__ops_path_tensor_op_hmma_src_fp16_dst_fp32.sum',
    'sm__ops_path_tensor_op_hmma_src_fp16_dst_fp16.sum',
  ],
  otherTensor: [
    'sm__ops_path_tensor_op_hgmma_src_tf32_dst_fp32.sum',
    'sm__ops_path_tensor_op_igmma_src_int8.sum',
  ],
  cudaCores: [
    'smsp__sass_thread_inst_executed_op_fadd_pred_on.sum',
    'smsp__sass_thread_inst_executed_op_fmul_pred_on.sum',
    'smsp__sass_thread_inst_executed_op_ffma_pred_on.sum',
    'smsp__sass_thread_inst_executed_op_hadd_pred_on.sum',
    'smsp__sass_thread_inst_executed_op_hmul_pred_on.sum',
    'smsp__sass_thread_inst_executed_op_hfma_pred_on.sum',
  ],
  shared: ['sm__sass_data_bytes_mem_shared.sum'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type MetricGroup = keyof typeof metricGroups;

/** 8 metrics, 1 pass on GH100: enough for HBM and L2 and the tensor work of GEMMs. */
export const fastRoofline: readonly MetricGroup[] = ['bytes', 'warpgroupMma'];
/** 22 metrics, 4 passes on GH100: every level and every precision that serving uses. */
export const fullRoofline: readonly MetricGroup[] = [
  'bytes',
  'tma',
  'warpgroupMma',
  'otherTensor',
  'cudaCores',
  'warpMma',
  'shared',
];

export const metricsOf = (groups: readonly MetricGroup[]): string[] =>
  groups.flatMap((group) => [...metricGroups[group]]);

/**
 * Tensor work by precision: sums of alternatives. In an alternative, either the first name or, where a chip or a section
 * has only split names, all the others. `op_hgmma` and `op_hmma` are different instructions of one precision: they add.
 */
const tensorWork: Readonly<Partial<Record<Precision, readonly string[]>>> = {
  bf16: ['op_hgmma_src_bf16_dst_fp32', 'op_hmma_src_bf16_dst_fp32'],
  fp16: ['op_hgmma_src_fp16', 'op_hmma_src_fp16_dst_fp32', 'op_hmma_src_fp16_dst_fp16'],
  tf32: ['op_hgmma_src_tf32_dst_fp32', 'op_hmma_src_tf32_dst_fp32'],
  int8: ['op_igmma_src_int8', 'op_imma_src_int8'],
  fp64: ['op_dmma_src_fp64'],
};
/** Chips differ: the first name that is there, else the sum of the second list. */
const fp8Names = { whole: 'src_fp8', split: ['src_fp8_dst_fp16', 'src_fp8_dst_fp32'] };
const fp4Names = ['src_fp4_dst_fp32', 'src_fp4_fp6_dst_fp32'];

const tensorPrefix = 'sm__ops_path_tensor_';

/** A counter's total: its `.sum`, or the rate that ncu's sections collect instead, times the duration or the cycles. */
export function total(metrics: MetricLookup, base: string): number | undefined {
  const sum = metrics(`${base}.sum`);
  if (sum !== undefined) return sum;
  const perSecond = metrics(`${base}.sum.per_second`);
  const ns = durationOf(metrics);
  if (perSecond !== undefined && ns !== undefined) return (perSecond * ns) / 1e9;
  const perCycle = metrics(`${base}.sum.per_cycle_elapsed`);
  const unit = base.split('__')[0] ?? 'sm';
  const cycles = metrics(`${unit}__cycles_elapsed.avg`) ?? metrics('sm__cycles_elapsed.avg');
  if (perCycle !== undefined && cycles !== undefined) return perCycle * cycles;
  return undefined;
}

/** Time of a kernel, under any of its names; where it was not collected, elapsed cycles at the clock that was seen. */
function durationOf(metrics: MetricLookup): Ns | undefined {
  for (const name of [
    'gpu__time_duration.sum',
    'gpu__time_duration.avg',
    'gpu__time_duration.max',
    'gpu__time_duration',
  ]) {
    const ns = metrics(name);
    if (ns !== undefined) return ns;
  }
  for (const unit of ['gpc', 'sm', 'smsp', 'gpu']) {
    const cycles =
      metrics(`${unit}__cycles_elapsed.max`) ??
      metrics(`${unit}__cycles_elapsed.avg`) ??
      metrics(`${unit}__cycles_elapsed`);
    const hertz = metrics(`${unit}__cycles_elapsed.avg.per_second`);
    if (cycles !== undefined && hertz !== undefined && hertz > 0) return (cycles / hertz) * 1e9;
  }
  return undefined;
}

/**
 * Bytes of the GPU's memory. Names by chip and version: `dram__bytes_read` (Volta … Hopper), `dram__bytes_op_read`
 * (Blackwell), `fbpa__dram_read_bytes` (Turing's data centre parts), sectors of 32 bytes, or one sum of both directions.
 */
function hbmBytes(metrics: MetricLookup, notes: string[]): number | undefined {
  const direction = (name: 'read' | 'write'): number | undefined => {
    const bytes =
      total(metrics, `dram__bytes_${name}`) ??
      total(metrics, `dram__bytes_op_${name}`) ??
      total(metrics, `fbpa__dram_${name}_bytes`);
    const sectors =
      total(metrics, `dram__sectors_${name}`) ??
      total(metrics, `dram__sectors_op_${name}`) ??
      total(metrics, `fbpa__dram_${name}_sectors`);
    return bytes ?? (sectors === undefined ? undefined : sectors * 32);
  };
  const [read, write] = [direction('read'), direction('write')];
  if (read !== undefined && write !== undefined) return read + write;
  const both = total(metrics, 'dram__bytes') ?? total(metrics, 'fbpa__dram_bytes');
  if (both !== undefined) return both;
  const sectors = total(metrics, 'dram__sectors');
  if (sectors !== undefined) return sectors * 32;
  const one = read ?? write;
  if (one !== undefined)
    notes.push(
      `only ${read === undefined ? 'writes to' : 'reads from'} HBM were counted: its bytes are too low`,
    );
  return one;
}

/** The tensor counter itself, or its dense and sparse halves. */
function tensorTotal(metrics: MetricLookup, name: string): number | undefined {
  const whole = total(metrics, tensorPrefix + name);
  if (whole !== undefined) return whole;
  return added([
    total(metrics, `${tensorPrefix}${name}_sparsity_off`),
    total(metrics, `${tensorPrefix}${name}_sparsity_on`),
  ]);
}

function added(values: readonly (number | undefined)[]): number | undefined {
  let sum: number | undefined;
  for (const value of values) if (value !== undefined) sum = (sum ?? 0) + value;
  return sum;
}

const threadInstructions = (metrics: MetricLookup, op: string): number | undefined =>
  total(metrics, `smsp__sass_thread_inst_executed_op_${op}_pred_on`);

export interface CounterRow {
  readonly id: string;
  readonly label: string;
  readonly source: Extract<PointSource, 'measured' | 'captured'>;
  readonly metrics: MetricLookup;
  readonly threads?: number;
}

export function counterPoint(row: CounterRow): RooflinePoint {
  const { metrics } = row;
  const notes: string[] = [];
  const work: Partial<Record<Precision, number>> = {};
  const add = (precision: Precision, value: number | undefined) => {
    if (value !== undefined && value > 0) work[precision] = (work[precision] ?? 0) + value;
  };

  let anyTensor = false;
  for (const [precision, names] of Object.entries(tensorWork) as [Precision, readonly string[]][]) {
    const sum = added(names.map((name) => tensorTotal(metrics, name)));
    anyTensor ||= sum !== undefined;
    add(precision, sum);
  }
  const fp8 =
    tensorTotal(metrics, fp8Names.whole) ?? added(fp8Names.split.map((name) => tensorTotal(metrics, name)));
  add('fp8', fp8);
  add('fp4', added(fp4Names.map((name) => tensorTotal(metrics, name))));
  if (!anyTensor)
    notes.push('no tensor-core operations were counted: a matrix product shows too little work');
  const hmma = added((tensorWork.bf16 ?? []).slice(1).map((name) => tensorTotal(metrics, name)));
  const hgmma = tensorTotal(metrics, 'op_hgmma_src_bf16_dst_fp32');
  if (hmma !== undefined && hgmma === undefined) {
    notes.push(
      'only per-warp tensor operations (hmma) were counted: on Hopper a GEMM counts under hgmma and shows 0 here',
    );
  }

  const single = weighted(metrics, { fadd: 1, fmul: 1, ffma: 2 });
  const half = weighted(metrics, { hadd: 2, hmul: 2, hfma: 4 });
  add('fp32', single);
  // Half-precision FMA on CUDA cores runs at up to twice FP32; drawn under FP32's roof, and said.
  if (half !== undefined && half > 0) {
    add('fp32', half);
    notes.push(
      'packed half-precision work of CUDA cores is drawn under the FP32 roof (it may reach twice that)',
    );
  }
  add('fp64', weighted(metrics, { dadd: 1, dmul: 1, dfma: 2 }));
  if (single === undefined) notes.push('no CUDA-core FP32 instructions were counted');

  const bytes: Partial<Record<MemoryLevel, number>> = {};
  const hbm = hbmBytes(metrics, notes);
  if (hbm !== undefined) bytes.hbm = hbm;
  const sectors = total(metrics, 'lts__t_sectors');
  const l2 = total(metrics, 'lts__t_bytes') ?? (sectors === undefined ? undefined : sectors * 32);
  if (l2 !== undefined) bytes.l2 = l2;
  const lsu = total(metrics, 'l1tex__t_bytes');
  const tma = added(metricGroups.tma.map((name) => metrics(name)));
  if (lsu !== undefined) bytes.l1 = lsu + (tma ?? 0);
  if (lsu !== undefined && tma === undefined)
    notes.push('TMA transfers were not counted: L1 bytes of TMA kernels are too low');

  const timeNs = durationOf(metrics);
  return {
    id: row.id,
    label: row.label,
    source: row.source,
    work,
    bytes,
    ...(timeNs === undefined ? {} : { timeNs }),
    ...(row.threads === undefined ? {} : { threads: row.threads }),
    formula: [
      'W = Σ sm__ops_path_tensor_* + (fadd + fmul + 2·ffma) + 2·(hadd + hmul) + 4·hfma + (dadd + dmul + 2·dfma)',
      'Q_HBM = dram read + write; Q_L2 = lts__t_bytes; Q_L1 = l1tex__t_bytes + TMA loads + TMA stores',
      'T = gpu__time_duration.sum',
    ],
    notes,
  };
}

function weighted(metrics: MetricLookup, weights: Readonly<Record<string, number>>): number | undefined {
  return added(
    Object.entries(weights).map(([op, weight]) => {
      const count = threadInstructions(metrics, op);
      return count === undefined ? undefined : weight * count;
    }),
  );
}

/**
 * The roof at the clocks of one captured kernel: ncu's peak per cycle × the cycles per second that it saw. On an H200:
 * DRAM 1,504 B/cycle × 3.199 GHz = 4.81 TB/s; BF16 540,672 FLOP/cycle × 1.980 GHz = 1,070 TFLOP/s.
 */
export function observedCeilings(card: string, metrics: MetricLookup): Ceilings {
  const memory: Partial<Record<MemoryLevel, Ceiling<BytesPerSec>>> = {};
  const compute: Partial<Record<Precision, Ceiling<FlopPerSec>>> = {};
  const basis = 'observed_clock';
  const peak = (counter: string, clock: string): Ceiling<number> | undefined => {
    const perCycle = metrics(`${counter}.sum.peak_sustained`);
    const hertz = metrics(`${clock}__cycles_elapsed.avg.per_second`);
    if (perCycle === undefined || hertz === undefined) return undefined;
    return { value: perCycle * hertz, basis, source: `${counter}.sum.peak_sustained × ${clock} clock` };
  };
  const hbm = peak('dram__bytes', 'dram');
  const l2 = peak('lts__t_bytes', 'lts');
  const l1 = peak('l1tex__t_bytes', 'l1tex');
  if (hbm !== undefined) memory.hbm = hbm;
  if (l2 !== undefined) memory.l2 = l2;
  if (l1 !== undefined) memory.l1 = l1;
  const dense: Readonly<Partial<Record<Precision, string>>> = {
    bf16: 'op_hgmma_src_bf16_dst_fp32',
    fp16: 'op_hgmma_src_fp16',
    tf32: 'op_hgmma_src_tf32_dst_fp32',
    int8: 'op_igmma_src_int8',
    fp8: 'src_fp8',
  };
  for (const [precision, name] of Object.entries(dense) as [Precision, string][]) {
    // The dense rate: the whole counter's peak is the sparse one, twice as high.
    const ceiling = peak(`${tensorPrefix}${name}_sparsity_off`, 'sm');
    if (ceiling !== undefined) compute[precision] = ceiling;
  }
  const ffma = metrics('sm__sass_thread_inst_executed_op_ffma_pred_on.sum.peak_sustained');
  const clock = metrics('sm__cycles_elapsed.avg.per_second');
  if (ffma !== undefined && clock !== undefined) {
    compute.fp32 = { value: 2 * ffma * clock, basis, source: 'ffma peak per cycle × 2 × sm clock' };
  }
  return { card, memory, compute, absent: [] };
}
