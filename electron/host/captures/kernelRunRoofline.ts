import { gpuNamed } from '../../../workloads/hardware/gpuNamed.ts';
import {
  type Ceilings,
  dataSheetCeilings,
  type MeasuredCeilings,
  measuredCeilings,
  preferring,
} from '../../../workloads/roofline/ceilings.ts';
import { kernelRunPoints } from '../../../workloads/roofline/kernelRun.ts';
import type { RooflinePoint } from '../../../workloads/roofline/point.ts';
import { type Assessment, assess } from '../../../workloads/roofline/roof.ts';
import { isKernelSummary } from '../../shared/kinds/kernels.ts';
import { readManifest } from '../store/manifest.ts';
import { readSummary } from '../store/runIndex.ts';
import { badFile } from './captureError.ts';

export interface KernelRunRoofline {
  readonly title: string;
  readonly card: string;
  readonly ceilings: Ceilings;
  readonly points: readonly { readonly point: RooflinePoint; readonly assessment: Assessment | undefined }[];
}

/** The points of a run that measured kernels, under the measured roof of its card where one is known, else its data sheet. */
export async function kernelRunRoofline(
  folder: string,
  measured: readonly MeasuredCeilings[] = [],
): Promise<KernelRunRoofline> {
  const { title } = await readManifest(folder);
  const summary = await readSummary(folder);
  if (summary === undefined || !isKernelSummary(summary))
    throw badFile(folder, 'has no summary: it ended before anything was measured');
  const points = kernelRunPoints(summary);
  if (points.length === 0)
    throw badFile(
      folder,
      'has neither counters nor a formula of its bytes',
      'run it again with hardware counters (on the command line --counters)',
    );
  const card = summary.device.name;
  const gpu = gpuNamed(card);
  const sheet = gpu === undefined ? { card, memory: {}, compute: {}, absent: [] } : dataSheetCeilings(gpu);
  const own = measured.find(({ name }) => name === card);
  const ceilings =
    own === undefined ? sheet : { ...preferring(measuredCeilings(own), sheet), card: sheet.card };
  return {
    title,
    card,
    ceilings,
    points: points.map((point) => ({ point, assessment: assess(point, ceilings) })),
  };
}
