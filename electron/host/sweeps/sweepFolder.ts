import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { SweepPoint } from '../../../workloads/harness/sweep/point.ts';
import { type SweepSpec, sweepSpec } from '../../../workloads/harness/sweep/sweepSpec.ts';
import { InputError } from '../../../workloads/run/inputError.ts';
import { fileReason } from '../../shared/openFile.ts';
import { writeAtomically } from '../store/atomicFile.ts';
import { readText } from '../store/readText.ts';

/**
 * A sweep on disk: `sweep.json` (the spec and when it was made) and `points.jsonl`, one line per point in the order of
 * their ends. A crash loses at most the points that were being run: a last line without its end is dropped.
 */

const head = z.strictObject({
  schema: z.literal(1),
  created: z.string(),
  title: z.string(),
  spec: sweepSpec,
});
export type SweepHead = z.infer<typeof head>;

const value = z.union([z.number(), z.string(), z.boolean()]);
const point = z.strictObject({
  index: z.int().min(0),
  values: z.record(z.string(), value),
  objectives: z.array(z.number().nullable()),
  violation: z.number().min(0),
  figures: z.record(z.string(), z.number()),
  gpus: z.number(),
  error: z.string().optional(),
});

const headFile = 'sweep.json';
const pointsFile = 'points.jsonl';
const mostHeadBytes = 64 * 1024 * 1024;
/** A million points of some hundred bytes. */
const mostPointsBytes = 512 * 1024 * 1024;

export async function createSweep(folder: string, title: string, spec: SweepSpec): Promise<SweepHead> {
  if (existsSync(join(folder, headFile)))
    throw new InputError(`${folder}: there is a sweep already; resume it`);
  await mkdir(folder, { recursive: true });
  const made: SweepHead = { schema: 1, created: new Date().toISOString(), title, spec };
  await writeAtomically(join(folder, headFile), `${JSON.stringify(made, undefined, 2)}\n`);
  return made;
}

/** Throws InputError with the file and what is wrong with it. */
export async function readSweep(
  folder: string,
): Promise<{ readonly head: SweepHead; readonly points: SweepPoint[] }> {
  const path = join(folder, headFile);
  let document: unknown;
  try {
    document = JSON.parse(await readText(path, mostHeadBytes, true));
  } catch (thrown) {
    const reason = thrown instanceof SyntaxError ? 'not JSON' : fileReason(thrown);
    throw new InputError(`${path}: ${reason}, expected a sweep`);
  }
  const parsed = head.safeParse(document);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new InputError(
      `${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}, expected a sweep`,
    );
  }
  return { head: parsed.data, points: await readPoints(join(folder, pointsFile)) };
}

async function readPoints(path: string): Promise<SweepPoint[]> {
  if (!existsSync(path)) return [];
  const lines = (await readText(path, mostPointsBytes, true)).split('\n');
  // Text after the last line end was cut off by a crash.
  lines.pop();
  const points = new Map<number, SweepPoint>();
  lines.forEach((line, i) => {
    let document: unknown;
    try {
      document = JSON.parse(line);
    } catch {
      throw new InputError(`${path}: line ${i + 1}: not JSON, expected a point`);
    }
    const parsed = point.safeParse(document);
    if (!parsed.success) throw new InputError(`${path}: line ${i + 1}: expected a point of a sweep`);
    const { error, ...rest } = parsed.data;
    points.set(rest.index, error === undefined ? rest : { ...rest, error });
  });
  return [...points.values()].sort((a, b) => a.index - b.index);
}

/** Adds points to a sweep's file. */
export class PointWriter {
  private readonly file: FileHandle;
  private last: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle) {
    this.file = file;
  }

  /** Cuts off half a line that a crash left behind. */
  static async open(folder: string): Promise<PointWriter> {
    const path = join(folder, pointsFile);
    const file = await open(path, 'a+');
    const content = await readFile(path);
    const whole = content.lastIndexOf(0x0a) + 1;
    if (whole < content.length) await file.truncate(whole);
    return new PointWriter(file);
  }

  /** Rejects where the disk does not take it. */
  write(made: SweepPoint): Promise<void> {
    const line = `${JSON.stringify(made)}\n`;
    this.last = this.last.then(async () => {
      await this.file.appendFile(line);
    });
    return this.last;
  }

  async close(): Promise<void> {
    // A line that was not written rejected for its own caller; a file system without sync has the lines all the same.
    await this.last.catch(() => undefined);
    await this.file.sync().catch(() => undefined);
    await this.file.close();
  }
}

/** Folders of sweeps in a folder, newest first. */
export async function sweepFolders(parent: string): Promise<string[]> {
  const names = await readdir(parent).catch(() => []);
  return names
    .filter((name) => existsSync(join(parent, name, headFile)))
    .sort()
    .reverse()
    .map((name) => join(parent, name));
}

export const removeSweep = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true });

export const sweepIdOf = (folder: string): string => basename(folder);
