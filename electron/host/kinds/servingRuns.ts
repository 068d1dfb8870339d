import type { RunSpec } from '../../../workloads/run/spec.ts';
import { CaptureError } from '../captures/captureError.ts';
import { simulatedRoofline } from '../captures/simulatedPoints.ts';
import { bundleTables } from '../captures/trace/bundleTables.ts';
import { writeRunTrace } from '../captures/trace/runTrace.ts';
import { type ComparedRun, compareRuns } from '../compare/compareRuns.ts';
import { servingReportOf } from '../report/servingReportOf.ts';
import type { ComparedSide, HostKind } from './hostKind.ts';

const compared = async ({ manifest, summary, table }: ComparedSide<RunSpec>): Promise<ComparedRun> => ({
  manifest,
  summary: summary ?? {},
  requests: await table('requests'),
});

/** Runs that served requests. */
export const servingRuns: HostKind<RunSpec> = {
  compare: async (tasks, baseline, optimized) =>
    compareRuns(tasks, await compared(baseline), await compared(optimized)),
  report: servingReportOf,
  replayed: async ({ manifest: { spec, title } }, fromNs, toNs) => {
    if (spec.engine !== 'sim')
      throw new CaptureError('bad_input', `${title}: a run on engine ${spec.engine} cannot be replayed`, {
        hint: 'capture the whole target again',
      });
    return { spec, interval: { kind: 'simulated', from_ns: Math.max(0, fromNs), to_ns: toNs } };
  },
  countedRange: () => undefined,
  writeTrace: (out, { folder, manifest: { spec, title } }, options) =>
    writeRunTrace(out, bundleTables(folder), {
      title: `${title} · ${spec.variant}`,
      simulated: spec.engine === 'sim',
      instances: spec.cluster.instances.map((instance) => instance.name),
      ...options,
    }),
  points: async (folder) => {
    const { title, model, points } = await simulatedRoofline(folder);
    return { title, model, points: points.map(({ point, ceilings }) => ({ point, ceilings })) };
  },
};
