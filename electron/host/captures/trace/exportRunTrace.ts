import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { isKernelSpec } from '../../../../workloads/kernels/kernelSpec.ts';
import { readManifest } from '../../store/manifest.ts';
import { readBundleReport } from '../bundle/bundleReport.ts';
import { bundleTables } from './bundleTables.ts';
import { writeCaptureTrace } from './captureTrace.ts';
import { writeRunTrace } from './runTrace.ts';

/** A run bundle as a Chrome trace file (ui.perfetto.dev opens it). The path is replaced whole or not at all. */
export async function exportRunTrace(
  folder: string,
  path: string,
  options: { readonly replicate?: number } = {},
): Promise<{ readonly events: number; readonly bytes: number }> {
  const { spec, title } = await readManifest(folder);
  const partial = join(dirname(path), `.${basename(path)}.tmp`);
  const out = createWriteStream(partial);
  try {
    if (isKernelSpec(spec)) {
      const { events } = await writeCaptureTrace(out, await readBundleReport(folder), title);
      out.end();
      await finished(out);
      await rename(partial, path);
      return { events, bytes: (await stat(path)).size };
    }
    const { events } = await writeRunTrace(out, bundleTables(folder), {
      title: `${title} · ${spec.variant}`,
      simulated: spec.engine === 'sim',
      instances: spec.cluster.instances.map((instance) => instance.name),
      ...options,
    });
    out.end();
    await finished(out);
    await rename(partial, path);
    return { events, bytes: (await stat(path)).size };
  } finally {
    out.destroy();
    await rm(partial, { force: true });
  }
}
