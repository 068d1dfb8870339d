import { type AnySpec, isKernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { CaptureInterval } from '../../../workloads/run/captureInterval.ts';
import { bundleTable } from '../store/bundleTable.ts';
import { numbers, query } from '../store/duckdb.ts';
import { type Manifest, readManifest } from '../store/manifest.ts';
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
  if (isKernelSpec(spec)) {
    const interval = await roundsBetween(folder, manifest, fromNs, toNs);
    // What was recorded beside the times would fight with the profiler for CUPTI.
    const { record: _record, ...plain } = spec;
    return { spec: plain, title, interval };
  }
  if (spec.engine !== 'sim')
    throw new CaptureError('bad_input', `${title}: a run on engine ${spec.engine} cannot be replayed`, {
      hint: 'capture the whole target again',
    });
  return { spec, title, interval: { kind: 'simulated', from_ns: Math.max(0, fromNs), to_ns: toNs } };
}

/** Measured rounds of which some iteration lies in the interval, wholly or in part. */
async function roundsBetween(
  folder: string,
  manifest: Manifest,
  fromNs: number,
  toNs: number,
): Promise<CaptureInterval> {
  const source = await bundleTable(folder, manifest, 'kernels');
  const found =
    source === undefined
      ? undefined
      : await query(
          source.instance,
          `SELECT min(iteration)::DOUBLE AS first, max(iteration)::DOUBLE AS last FROM ${source.from}
         WHERE kind = 'iteration' AND iteration IS NOT NULL AND start_ns < ${toNs} AND start_ns + duration_ns > ${fromNs}`,
        );
  const [first, last] =
    found === undefined ? [] : [numbers(found, 'first')?.[0], numbers(found, 'last')?.[0]];
  if (first === undefined || last === undefined || Number.isNaN(first) || Number.isNaN(last))
    throw new CaptureError(
      'bad_input',
      `no measured iteration lies between ${fromNs / 1e9} s and ${toNs / 1e9} s of this run`,
      { hint: 'the timeline of the run shows where its iterations are' },
    );
  return { kind: 'rounds', from: first, to: last };
}
