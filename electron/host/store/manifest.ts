import { join } from 'node:path';
import { z } from 'zod';
import { type AnySpec, kernelSpec } from '../../../workloads/kernels/kernelSpec.ts';
import { runSpec } from '../../../workloads/run/spec.ts';
import { hostError } from '../../contract/hostError.ts';
import { runStatus } from '../../contract/protocol.ts';
import { withKind } from '../../shared/kinds/runKinds.ts';
import { writeAtomically } from './atomicFile.ts';
import { readText } from './readText.ts';

export const manifestName = 'manifest.json';
export const summaryName = 'summary.json';
export const manifestVersion = 1;

const hardware = z.object({
  cpu: z.string(),
  cores: z.number(),
  memory_bytes: z.number(),
  gpus: z.array(z.object({ index: z.number(), name: z.string(), memory_bytes: z.number().exactOptional() })),
});
export type Hardware = z.infer<typeof hardware>;

/** manifest.json: everything about a run that is not its result. Unknown keys of a newer minor writer are kept. */
export const manifest = z.looseObject({
  schema: z.literal(manifestVersion),
  run: z.string(),
  /** Runs started by one press of a button share it. */
  group: z.string(),
  title: z.string(),
  status: runStatus,
  spec: z.union([runSpec, kernelSpec]),
  started: z.string(),
  ended: z.string().optional(),
  wall_s: z.number().optional(),
  error: hostError.optional(),
  versions: z.record(z.string(), z.string()),
  git_commit: z.string().optional(),
  /** Absent in imported runs: the file does not tell where the servers ran. */
  hardware: hardware.exactOptional(),
  /** The run was measured by another tool: what its file cannot know, and what was left out of it. */
  imported: z
    .object({
      format: z.string(),
      tool: z.string(),
      file: z.string(),
      unknown: z.array(z.string()),
      remarks: z.array(z.string()),
    })
    .exactOptional(),
  /** The run went on inside a profiler. `perturbs`: its latencies say how the profiler slowed it, and take part in no verdict. */
  captured: z.object({ tool: z.string(), capture: z.string(), perturbs: z.boolean() }).optional(),
  tags: z.array(z.string()),
  note: z.string(),
  /** How the run ended, while its bundle is being sealed: a recovery takes it over. Absent before and afterwards. */
  sealing: z
    .object({
      status: runStatus,
      ended: z.string(),
      wall_s: z.number(),
      error: hostError.optional(),
    })
    .optional(),
  /** Every other file of the bundle, once it is complete. */
  files: z.record(
    z.string(),
    z.object({ sha256: z.string(), bytes: z.number(), rows: z.number().optional() }),
  ),
});
export type Manifest = z.infer<typeof manifest>;
/** Of a run of one kind. */
export type ManifestOf<Spec extends AnySpec> = Manifest & { readonly spec: Spec };

/** From schema n to n + 1, by n. Empty until there is a second version. */
const upgraders: Readonly<Record<number, (old: object) => object>> = {};

export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

export function parseManifest(text: string): Manifest {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new ManifestError(`${manifestName} is not JSON`);
  }
  if (typeof document !== 'object' || document === null || !('schema' in document)) {
    throw new ManifestError(`${manifestName} is not a manifest of Dyno`);
  }
  let current: object = document;
  let version = document.schema;
  if (typeof version === 'number' && version > manifestVersion) {
    throw new ManifestError(
      `${manifestName} has schema ${version}; this Dyno knows up to ${manifestVersion}: update Dyno`,
    );
  }
  while (typeof version === 'number' && version < manifestVersion) {
    const upgrade = upgraders[version];
    if (upgrade === undefined) throw new ManifestError(`${manifestName} has unknown schema ${version}`);
    current = upgrade(current);
    version++;
  }
  const parsed = manifest.safeParse(current);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ManifestError(
      `${manifestName}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`,
    );
  }
  return parsed.data;
}

/** A manifest of Dyno has a few kilobytes. */
const mostBytes = 16 * 1024 * 1024;

export async function readManifest(folder: string): Promise<Manifest> {
  const manifest = parseManifest(await readText(join(folder, manifestName), mostBytes));
  withKind(manifest.spec, (kind, spec) => kind.declare(spec));
  return manifest;
}

export const writeManifest = (folder: string, value: Manifest): Promise<void> =>
  writeAtomically(join(folder, manifestName), `${JSON.stringify(value, undefined, 2)}\n`);
