import { join } from 'node:path';
import { InputError } from '../../workloads/run/inputError.ts';
import { earlierCaptures } from '../host/captures/captureFolders.ts';
import { RunIndex } from '../host/store/runIndex.ts';
import { runsFolder } from '../host/store/runsFolder.ts';

/** What is known of a target that can be drawn under a roof. */
export type LatestPoints =
  | { readonly kind: 'capture'; readonly file: string; readonly startedMs: number }
  | { readonly kind: 'run'; readonly run: string; readonly startedMs: number };

/**
 * The latest ncu report of a target (its id); else its latest run, whose passes or kernels have points of their own.
 *
 * @throws InputError that says how to make one, where there is neither
 */
export async function latestPointsOf(id: string): Promise<LatestPoints> {
  const captures = await earlierCaptures(join(runsFolder(), '..', 'captures'));
  const latest = captures
    .filter(({ target, tool, state }) => target === id && tool === 'ncu' && state === 'done')
    .reduce<(typeof captures)[number] | undefined>(
      (best, each) => (best === undefined || each.started_ms > best.started_ms ? each : best),
      undefined,
    );
  if (latest?.report !== undefined)
    return { kind: 'capture', file: latest.report, startedMs: latest.started_ms };
  const { runs } = await new RunIndex(runsFolder()).list();
  const run = runs.find(
    ({ target, status, engine }) => target === id && status === 'done' && engine !== 'http',
  );
  if (run !== undefined) return { kind: 'run', run: run.run, startedMs: Date.parse(run.started) };
  throw new InputError(
    `${id}: no capture and no run of it yet; dyno capture ncu ${id} (with a GPU) or dyno run ${id} makes one`,
  );
}
