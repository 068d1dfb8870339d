import { defaultKernelRounds, type KernelTarget } from '../../../workloads/catalog/kernelTargets.ts';
import type { KernelSummary } from '../../../workloads/kernels/kernelSummary.ts';
import type { TargetKind } from './runKind.ts';

/** A profiler needs few rounds, and runs each of them more than once. */
const capturedRounds = 3;

/** Runs that measure the variants of a target in turn, on one GPU. */
export const kernels: TargetKind<KernelTarget> = {
  id: 'kernels',
  table: 'kernels',
  hasRouter: false,
  defaultIterations: defaultKernelRounds,
  sparkTitle: 'Time of the rounds',
  sparkSeries: ({ kernel }) =>
    (kernel?.variants ?? []).map(({ id }) => ({
      source: `variant:${id}`,
      metric: 'workload_ms',
      variant: id,
    })),
  size: ({ kernel }) => (kernel === undefined ? '' : `${kernel.iterations} rounds`),
  label: ({ target, variant }) => `${target} · ${variant === 'a_b' ? 'A/B' : variant}`,
  comparesItself: ({ kernel }) => (kernel?.variants.length ?? 0) > 1,
  reportsAlone: ({ kernel }) => kernel !== undefined,
  canReplay: () => true,
  pace: () => 'max',
  needsGpu: true,
  detail: (summary) => ({ summary: undefined, kernels: isKernelSummary(summary) ? summary : undefined }),
  engines: ({ engines }) => engines,
  specs: (target, variants, { parameters, seed, iterations, record }) => {
    const spec = target.spec({ variants, parameters, seed, iterations, device: 0 });
    if (record === undefined || !(record.kernels || record.counters)) return [spec];
    return [
      {
        ...spec,
        record: {
          ...(record.kernels ? { kernels: true } : {}),
          ...(record.counters ? { counters: 'kernel' as const } : {}),
        },
      },
    ];
  },
  words: ({ record }) => [
    ...(record?.kernels === true ? ['--kernels'] : []),
    ...(record?.counters === true ? ['--counters'] : []),
  ],
  countedRange: (variant) => variant,
  captured: ({ record: _record, ...values }) => ({
    ...values,
    iterations: Math.min(values.iterations, capturedRounds),
  }),
};

const isKernelSummary = (value: unknown): value is KernelSummary =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'kernel';
