import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { MeasuredCeilings } from '../../../workloads/roofline/ceilings.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { fileReason } from '../../shared/openFile.ts';
import { writeAtomically } from '../store/atomicFile.ts';
import { readText } from '../store/readText.ts';

/** The part of the output of `dyno ceilings --json` that a roof needs. */
const measured = z.object({
  name: z.string().min(1),
  cudaDriver: z.string(),
  ceilings: z.array(
    z.object({
      id: z.string(),
      value: z.number().positive(),
      unit: z.string(),
      repetitions: z.number(),
      definition: z.string(),
    }),
  ),
  waived: z.array(z.object({ id: z.string(), reason: z.string() })).default([]),
});

const mostBytes = 16 * 1024 * 1024;

async function read(path: string): Promise<MeasuredCeilings> {
  let document: unknown;
  try {
    document = JSON.parse(await readText(path, mostBytes, true));
  } catch (thrown) {
    const why = thrown instanceof SyntaxError ? 'it is not JSON' : fileReason(thrown);
    throw new InputError(`${path}: ${why}, expected what "dyno ceilings --json" prints`);
  }
  const parsed = measured.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InputError(
    `${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}, expected what "dyno ceilings --json" prints`,
  );
}

/** Measured ceilings that this machine knows, one file per card; `path` adds one, a newer one of a card replaces it. */
export async function measuredCeilingsIn(folder: string, path?: string): Promise<MeasuredCeilings[]> {
  if (path !== undefined) {
    const fresh = await read(path);
    await mkdir(folder, { recursive: true });
    const name = fresh.name.replace(/[^A-Za-z0-9]+/g, '-');
    await writeAtomically(join(folder, `${name}.json`), `${JSON.stringify(fresh, undefined, 2)}\n`);
  }
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json')).sort();
  const found = await Promise.all(names.map((name) => read(join(folder, name)).catch(() => undefined)));
  return found.filter((one) => one !== undefined);
}
