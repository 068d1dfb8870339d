import type { Ceilings } from '../../../../workloads/roofline/ceilings.ts';
import {
  counterPoint,
  type MetricLookup,
  observedCeilings,
} from '../../../../workloads/roofline/counters.ts';
import type { RooflinePoint } from '../../../../workloads/roofline/point.ts';

/** One profiled kernel launch with its metrics, in base units (bytes, ns, Hz, counts); texts apart. */
export interface CapturedKernel {
  /** From 0, in order of the file: ncu's own ids begin anew in every process and export. */
  readonly id: number;
  readonly name: string;
  readonly process?: string;
  readonly device?: number;
  readonly stream?: number;
  readonly computeCapability?: string;
  readonly grid?: readonly [number, number, number];
  readonly block?: readonly [number, number, number];
  /** How many launches the metrics are the average of; absent: one. */
  readonly invocations?: number;
  /** NVTX ranges around the launch, outermost first; empty where none were recorded. */
  readonly ranges: readonly string[];
  readonly metrics: ReadonlyMap<string, number>;
  readonly texts: ReadonlyMap<string, string>;
}

/** The content of an Nsight Compute report or CSV. */
export interface NcuReport {
  readonly source: 'captured';
  readonly kernels: readonly CapturedKernel[];
  readonly card?: string;
  /** The metrics that are absent, each with the consequence. */
  readonly missing: readonly string[];
  /** Metrics whose unit is not known; they are kept as they were printed. */
  readonly unknownUnits: readonly string[];
  /** Rows inside the table that are none of it; absent: none. */
  readonly notUnderstood?: number;
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

/** What a roofline needs and this report lacks, after every name that a chip or version gives it was looked for. */
export function missingForRoofline(kernels: readonly CapturedKernel[]): string[] {
  const out: string[] = [];
  if (kernels.length === 0)
    return ['no kernel was profiled: the filter matched none, or the program launched none'];
  const points = kernels.map((kernel) =>
    counterPoint({ id: '', label: '', source: 'captured', metrics: lookup(kernel) }),
  );
  const has = (pattern: RegExp) =>
    kernels.some((kernel) => [...kernel.metrics.keys()].some((name) => pattern.test(name)));
  const lack = (what: string, isThere: boolean, consequence: string) => {
    if (!isThere) out.push(`${what}: ${consequence}`);
  };
  lack(
    'gpu__time_duration',
    points.some(({ timeNs }) => timeNs !== undefined),
    'kernels have no time, so only their intensity is known',
  );
  lack(
    'dram__bytes_*',
    points.some(({ bytes }) => bytes.hbm !== undefined),
    'no HBM level',
  );
  lack(
    'lts__t_bytes',
    points.some(({ bytes }) => bytes.l2 !== undefined),
    'no L2 level',
  );
  lack(
    'l1tex__t_bytes',
    points.some(({ bytes }) => bytes.l1 !== undefined),
    'no L1 level',
  );
  lack('sm__ops_path_tensor_*', has(/^sm__ops_path_tensor_/), 'matrix products show too little work');
  lack(
    'smsp__sass_thread_inst_executed_op_*',
    has(/^smsp__sass_thread_inst_executed_op_ffma/),
    'CUDA-core work is unknown',
  );
  return out;
}
