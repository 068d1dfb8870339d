import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { CaptureInterval } from '../../../workloads/run/captureInterval.ts';
import { manifestOf, withHostKind } from '../kinds/hostKinds.ts';
import { readManifest } from '../store/manifest.ts';
import { CaptureError } from './captureError.ts';

/** A run's spec, and the part of it that lies between two times of its clock: what a capture replays and records. */
export async function captureOfRun(
  folder: string,
  fromNs: number,
  toNs: number,
): Promise<{ readonly spec: AnySpec; readonly title: string; readonly interval: CaptureInterval }> {
  const manifest = await readManifest(folder);
  const { spec, title } = manifest;
  if (!(toNs > fromNs))
    throw new CaptureError(
      'bad_input',
      `from ${fromNs / 1e9} s to ${toNs / 1e9} s: the end comes before the start`,
    );
  const { spec: replayed, interval } = await withHostKind<
    Promise<{ readonly spec: AnySpec; readonly interval: CaptureInterval }>
  >(spec, (kind, own) => kind.replayed({ folder, manifest: manifestOf(manifest, own) }, fromNs, toNs));
  return { spec: replayed, title, interval };
}
