import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { manifestOf, withHostKind } from '../../kinds/hostKinds.ts';
import { readManifest } from '../../store/manifest.ts';

/** A run bundle as a Chrome trace file (ui.perfetto.dev opens it). The path is replaced whole or not at all. */
export async function exportRunTrace(
  folder: string,
  path: string,
  options: { readonly replicate?: number } = {},
): Promise<{ readonly events: number; readonly bytes: number }> {
  const manifest = await readManifest(folder);
  const partial = join(dirname(path), `.${basename(path)}.tmp`);
  const out = createWriteStream(partial);
  try {
    const { events } = await withHostKind(manifest.spec, (kind, own) =>
      kind.writeTrace(out, { folder, manifest: manifestOf(manifest, own) }, options),
    );
    out.end();
    await finished(out);
    await rename(partial, path);
    return { events, bytes: (await stat(path)).size };
  } finally {
    out.destroy();
    await rm(partial, { force: true });
  }
}
