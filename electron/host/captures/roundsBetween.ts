import type { CaptureInterval } from '../../../workloads/run/captureInterval.ts';
import { bundleTable } from '../store/bundleTable.ts';
import { numbers, query } from '../store/duckdb.ts';
import type { Manifest } from '../store/manifest.ts';
import { CaptureError } from './captureError.ts';

/** Measured rounds of which some iteration lies in the interval, wholly or in part. */
export async function roundsBetween(
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
