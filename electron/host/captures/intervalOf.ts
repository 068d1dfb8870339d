import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type AnySpec, isKernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import type { CaptureInterval } from '../../../workloads/run/captureInterval.ts';
import { numbers, parquetReader, query, quoteText } from '../store/duckdb.ts';
import { readManifest } from '../store/manifest.ts';
import { CaptureError } from './captureError.ts';

/** A run's spec, and the part of it that lies between two times of its clock: what a capture replays and records. */
export async function captureOfRun(
  folder: string,
  fromNs: number,
  toNs: number,
): Promise<{ readonly spec: AnySpec; readonly title: string; readonly interval: CaptureInterval }> {
  const { spec, title } = await readManifest(folder);
  if (!(toNs > fromNs))
    throw new CaptureError(
      'bad_input',
      `from ${fromNs / 1e9} s to ${toNs / 1e9} s: the end comes before the start`,
    );
  if (isKernelSpec(spec)) {
    const interval = await roundsBetween(folder, fromNs, toNs);
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
async function roundsBetween(folder: string, fromNs: number, toNs: number): Promise<CaptureInterval> {
  const path = join(folder, 'kernels.parquet');
  const found = existsSync(path)
    ? await query(
        await parquetReader(),
        `SELECT min(iteration)::DOUBLE AS first, max(iteration)::DOUBLE AS last FROM read_parquet(${quoteText(path)})
         WHERE kind = 'iteration' AND iteration IS NOT NULL AND start_ns < ${toNs} AND start_ns + duration_ns > ${fromNs}`,
      )
    : undefined;
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
