import { z } from 'zod';
import { type KernelSpec, kernelSpec, recordsKernels } from '../../../workloads/kernels/kernelSpec.ts';
import { type KernelSummary, kernelVerdict } from '../../../workloads/kernels/kernelSummary.ts';
import { parsedHead } from './parsedHead.ts';
import type { RunKind } from './runKind.ts';

const settings = (spec: KernelSpec): string[] => [
  ...Object.entries(spec.parameters).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
  '--set',
  `warm_up=${spec.warm_up}`,
  '--seed',
  String(spec.seed),
  '--iterations',
  String(spec.iterations),
];

const head = z.looseObject({
  kind: z.literal('kernel'),
  device: z.object({ name: z.string() }),
  iterations: z.number(),
  variants: z.record(z.string(), z.object({ iteration_ms: z.object({ median: z.number() }) })),
  ratio: z.object({ ratio: z.number(), ci95: z.tuple([z.number(), z.number()]).optional() }).optional(),
  verification: z.object({ status: z.enum(['passed', 'failed', 'not_run']) }),
});

/** Whether a summary says that it is of a run that measured kernels; `headline` checks its parts. */
export const isKernelSummary = (summary: object): summary is KernelSummary =>
  'kind' in summary && summary.kind === 'kernel';

/** A run that measures the variants of a target in turn, in one process on one GPU. */
export const kernels: RunKind<KernelSpec> = {
  id: 'kernels',
  did: 'measured kernels',
  schema: kernelSpec,
  graceMs: 2000,
  declare: () => undefined,
  pinned: (spec) => spec,
  variants: (spec) => spec.variants.join(', '),
  hasRemarks: () => false,
  runWords: (spec) => [
    'bench',
    spec.target,
    '--variant',
    spec.variants.join(','),
    ...settings(spec),
    ...(recordsKernels(spec) ? ['--kernels', ...(spec.record?.kernels === 'serial' ? ['serial'] : [])] : []),
    ...(spec.record?.counters === undefined ? [] : ['--counters', spec.record.counters]),
  ],
  captureWords: (spec) => ['--variant', spec.variants.join(','), ...settings(spec)],
  pairWords: () => undefined,
  headline: (summary) => {
    const { device, iterations, variants, ratio, verification } = parsedHead(head, summary);
    if (!isKernelSummary(summary)) return { headline: {} };
    return {
      headline: {},
      kernel: {
        device: device.name,
        iterations,
        variants: Object.entries(variants).map(([id, { iteration_ms }]) => ({
          id,
          median_ms: iteration_ms.median,
        })),
        ...(ratio === undefined ? {} : { ratio: ratio.ratio }),
        ...(ratio?.ci95 === undefined ? {} : { ci95: ratio.ci95 }),
        verification: verification.status,
        verdict: kernelVerdict(summary),
      },
    };
  },
};
