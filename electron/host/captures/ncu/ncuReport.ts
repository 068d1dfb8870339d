import type { Ceilings } from '../../../../workloads/roofline/ceilings.ts';
import {
  counterPoint,
  type MetricLookup,
  observedCeilings,
} from '../../../../workloads/roofline/counters.ts';
import type { RooflinePoint } from '../../../../workloads/roofline/point.ts';

/** One profiled kernel launch with its metrics, in base units (bytes, ns, Hz, counts); texts apart. */
export interface CapturedKernel {
  /** ncu's own id, from 0, in order of launch. */
  readonly id: number;
  readonly name: string;
  readonly process?: string;
  readonly device?: number;
  readonly stream?: number;
  readonly computeCapability?: string;
  readonly grid?: readonly [number, number, number];
  readonly block?: readonly [number, number, number];
  /** NVTX ranges around the launch, outermost first; empty where none were recorded. */
  readonly ranges: readonly string[];
  readonly metrics: ReadonlyMap<string, number>;
  readonly texts: ReadonlyMap<string, string>;
}

/** What an Nsight Compute report or CSV says. */
export interface NcuReport {
  readonly source: 'captured';
  readonly kernels: readonly CapturedKernel[];
  readonly card?: string;
  /** What is not there, each with what follows from it. */
  readonly missing: readonly string[];
  /** Metrics whose unit is not known; they are kept as they were printed. */
  readonly unknownUnits: readonly string[];
}

const lookup =
  (kernel: CapturedKernel): MetricLookup =>
  (name) =>
    kernel.metrics.get(name);

export function rooflinePoints(report: NcuReport): RooflinePoint[] {
  return report.kernels.map((kernel) => {
    const threads = threadsOf(kernel);
    return counterPoint({
      id: `ncu:${kernel.id}`,
      label: kernel.name,
      source: 'captured',
      metrics: lookup(kernel),
      ...(threads === undefined ? {} : { threads }),
    });
  });
}

function threadsOf(kernel: CapturedKernel): number | undefined {
  if (kernel.grid === undefined || kernel.block === undefined)
    return kernel.metrics.get('launch__thread_count');
  return [...kernel.grid, ...kernel.block].reduce((product, n) => product * n, 1);
}

/** The roof at the clocks of the longest kernel: ncu slows or fixes clocks, so a roof at boost would be too high. */
export function ceilingsOf(report: NcuReport): Ceilings | undefined {
  const duration = (kernel: CapturedKernel) => kernel.metrics.get('gpu__time_duration.sum') ?? 0;
  const [longest] = [...report.kernels].sort((a, b) => duration(b) - duration(a));
  return longest === undefined
    ? undefined
    : observedCeilings(report.card ?? 'the captured card', lookup(longest));
}

/** What a roofline needs and this report lacks. */
export function missingForRoofline(kernels: readonly CapturedKernel[]): string[] {
  const out: string[] = [];
  if (kernels.length === 0)
    return ['no kernel was profiled: the filter matched none, or the program launched none'];
  const has = (pattern: RegExp) =>
    kernels.some((kernel) => [...kernel.metrics.keys()].some((name) => pattern.test(name)));
  if (!has(/^gpu__time_duration/))
    out.push('gpu__time_duration: kernels have no time, so only their intensity is known');
  if (!has(/^dram__bytes/)) out.push('dram__bytes_*: no HBM level');
  if (!has(/^lts__t_bytes/)) out.push('lts__t_bytes: no L2 level');
  if (!has(/^l1tex__t_bytes/)) out.push('l1tex__t_bytes: no L1 level');
  if (!has(/^sm__ops_path_tensor_/)) out.push('sm__ops_path_tensor_*: matrix products show too little work');
  if (!has(/^smsp__sass_thread_inst_executed_op_ffma/))
    out.push('smsp__sass_thread_inst_executed_op_*: CUDA-core work is unknown');
  return out;
}
