import type { KernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import { isKernelSummary } from '../../shared/kinds/kernels.ts';
import { readBundleReport } from '../captures/bundle/bundleReport.ts';
import { kernelRunRoofline } from '../captures/kernelRunRoofline.ts';
import { roundsBetween } from '../captures/roundsBetween.ts';
import { writeCaptureTrace } from '../captures/trace/captureTrace.ts';
import { type ComparedKernels, compareKernels } from '../compare/compareKernels.ts';
import { kernelReportOf } from '../report/kernelReportOf.ts';
import type { ComparedSide, HostKind } from './hostKind.ts';

const compared = async ({
  manifest,
  summary,
  table,
}: ComparedSide<KernelSpec>): Promise<ComparedKernels> => ({
  manifest,
  summary: summary !== undefined && isKernelSummary(summary) ? summary : undefined,
  kernels: await table('kernels'),
  samples: await table('samples'),
});

/** Runs that measured kernels. */
export const kernelRuns: HostKind<KernelSpec> = {
  compare: async (_tasks, baseline, optimized) =>
    compareKernels(await compared(baseline), await compared(optimized)),
  report: kernelReportOf,
  replayed: async ({ folder, manifest }, fromNs, toNs) => {
    // A recording of its own would fight with the profiler for CUPTI.
    const { record: _record, ...spec } = manifest.spec;
    return { spec, interval: await roundsBetween(folder, manifest, fromNs, toNs) };
  },
  // A run of kernels prepares its variants by launching some: of one variant, only its own iterations are counted.
  countedRange: ({ variants }) => (variants.length === 1 ? variants[0] : undefined),
  writeTrace: async (out, { folder, manifest }) =>
    writeCaptureTrace(out, await readBundleReport(folder), manifest.title),
  points: async (folder, measured) => {
    const { title, points, ceilings } = await kernelRunRoofline(folder, measured);
    return { title, points: points.map(({ point }) => ({ point, ceilings })) };
  },
};
