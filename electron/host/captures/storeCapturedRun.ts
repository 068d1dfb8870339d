import { join } from 'node:path';
import type { AnySpec } from '../../../workloads/kernels/kernelSpec.ts';
import { lockBundle, unlockBundle } from '../store/bundleLock.ts';
import { BundleWriter } from '../store/bundleWriter.ts';
import { makeFolder } from '../store/makeFolder.ts';
import { type Manifest, writeManifest } from '../store/manifest.ts';
import { sealBundle } from '../store/seal.ts';
import { readRunnerEvents } from './runnerEvents.ts';

export interface CapturedBundle {
  readonly run: string;
  readonly runsFolder: string;
  readonly events: string;
  readonly title: string;
  readonly spec: AnySpec;
  readonly capture: string;
  readonly tool: string;
  readonly startedMs: number;
  readonly elapsedMs: number;
  readonly about: Pick<Manifest, 'versions' | 'hardware'> & { readonly git_commit?: string };
}

/** The run inside a capture as a bundle like any other, marked as captured. */
export async function storeCapturedRun(captured: CapturedBundle): Promise<string> {
  const { run, spec } = captured;
  const folder = join(captured.runsFolder, run);
  const manifest: Manifest = {
    schema: 1,
    run,
    group: run,
    title: captured.title,
    status: 'running',
    spec,
    started: new Date(captured.startedMs).toISOString(),
    ...captured.about,
    // Simulated time does not depend on the host's: a profiler cannot perturb it.
    captured: { tool: captured.tool, capture: captured.capture, perturbs: spec.engine !== 'sim' },
    tags: [`captured by ${captured.tool}`],
    note: '',
    files: {},
  };
  await makeFolder(folder);
  lockBundle(folder);
  try {
    await writeManifest(folder, manifest);
    const writer = await BundleWriter.create(folder, () => undefined);
    const outcome = await readRunnerEvents(captured.events, (message) => {
      if (message.kind === 'batch') writer.append(message);
      else if (message.kind === 'log') writer.log(message.level, message.message, message.time_ns);
    });
    await writer.export();
    await sealBundle(
      folder,
      {
        ...manifest,
        status: outcome.status,
        ended: new Date(captured.startedMs + captured.elapsedMs).toISOString(),
        wall_s: Math.round(captured.elapsedMs) / 1000,
        ...(outcome.error === undefined ? {} : { error: outcome.error }),
      },
      outcome.summary,
    );
    writer.close({ remove: true });
  } finally {
    unlockBundle(folder);
  }
  return run;
}
