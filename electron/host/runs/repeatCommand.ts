import {
  type AnySpec,
  isKernelSpec,
  type KernelSpec,
  recordsKernels,
} from '../../../workloads/kernels/kernelSpec.ts';
import { shellWord } from '../../../workloads/run/shellWord.ts';
import type { RunSpec, TrafficSpec } from '../../../workloads/run/spec.ts';
import { traceWords } from '../../../workloads/run/traceWords.ts';
import { isServing, type Manifest } from '../store/manifest.ts';

const trafficOptions = (traffic: TrafficSpec): string[] =>
  traffic.kind === 'trace' ? traceWords(traffic) : [];

function options(spec: RunSpec): string[] {
  return [
    ...trafficOptions(spec.traffic),
    ...Object.entries(spec.parameters).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
    ...(spec.seed === 0 ? [] : ['--seed', String(spec.seed)]),
    ...(spec.iterations === 1 ? [] : ['--iterations', String(spec.iterations)]),
  ];
}

const command = (words: readonly string[]): string =>
  ['npm run -s dyno --', ...words.map(shellWord)].join(' ');

const kernelOptions = (spec: KernelSpec): string[] => [
  ...Object.entries(spec.parameters).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  '--set',
  `warm_up=${spec.warm_up}`,
  '--seed',
  String(spec.seed),
  '--iterations',
  String(spec.iterations),
];

const kernelCommand = (spec: KernelSpec): string =>
  command([
    'bench',
    spec.target,
    '--variant',
    spec.variants.join(','),
    ...kernelOptions(spec),
    ...(recordsKernels(spec) ? ['--kernels', ...(spec.record?.kernels === 'serial' ? ['serial'] : [])] : []),
    ...(spec.record?.counters === undefined ? [] : ['--counters', spec.record.counters]),
  ]);

export const runCommand = ({ spec }: Pick<Manifest, 'spec'>): string =>
  isKernelSpec(spec)
    ? kernelCommand(spec)
    : command(['run', spec.target, '--engine', spec.engine, '--variant', spec.variant, ...options(spec)]);

/** A capture with its choices. */
export const captureCommand = (order: {
  readonly tool: string;
  readonly spec: AnySpec;
  readonly profile: string;
  readonly limit_s: number;
  readonly range?: string | undefined;
  readonly kernels?: string | undefined;
  readonly skip?: number | undefined;
  readonly count?: number | undefined;
}): string =>
  command([
    'capture',
    order.tool,
    order.spec.target,
    '--engine',
    order.spec.engine,
    '--variant',
    isKernelSpec(order.spec) ? order.spec.variants.join(',') : order.spec.variant,
    ...(isKernelSpec(order.spec) ? kernelOptions(order.spec) : options(order.spec)),
    '--profile',
    order.profile,
    ...(order.limit_s === 300 ? [] : ['--time-limit', String(order.limit_s)]),
    ...(order.range === undefined ? [] : ['--range', order.range]),
    ...(order.kernels === undefined ? [] : ['--kernels', order.kernels]),
    ...(order.skip === undefined || order.skip === 0 ? [] : ['--skip', String(order.skip)]),
    ...(order.count === undefined ? [] : ['--count', String(order.count)]),
  ]);

/** A capture of a part of a run. */
export const partCommand = (part: {
  readonly tool: string;
  readonly run: string;
  readonly from_ns: number;
  readonly to_ns: number;
  readonly profile: string;
}): string =>
  command([
    'capture',
    part.tool,
    '--run',
    part.run,
    '--from',
    String(part.from_ns / 1e9),
    '--to',
    String(part.to_ns / 1e9),
    '--profile',
    part.profile,
  ]);

/** One command where both runs are variants of one target with equal settings, else the comparison of the two bundles. */
export function benchCommand(a: Manifest, b: Manifest): string {
  const same =
    a.spec.target === b.spec.target &&
    JSON.stringify(a.spec.parameters) === JSON.stringify(b.spec.parameters);
  if (!same || !isServing(a) || !isServing(b)) return command(['compare', a.run, b.run]);
  const isPair = a.spec.variant === 'baseline' && b.spec.variant === 'optimized';
  return command([
    'bench',
    a.spec.target,
    '--engine',
    a.spec.engine,
    ...(isPair ? [] : ['--variant', `${a.spec.variant},${b.spec.variant}`]),
    ...options(a.spec),
  ]);
}
