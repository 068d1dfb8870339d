import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../../workloads/run/inputError.ts';
import { fileReason } from '../../shared/openFile.ts';
import type { Manifest } from './manifest.ts';

/** A file of a bundle that is not what its manifest says. */
export interface FileDamage {
  readonly file: string;
  /** One line with the path. */
  readonly reason: string;
}

/** Digest of a regular file; a symbolic link is not followed. */
export async function sha256(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.alloc(1024 * 1024);
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(chunk.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/** Digests by path, kept while the file's size, times and inode stay the same. */
const known = new Map<string, { readonly stamp: string; readonly digest: Promise<string> }>();
const mostKnown = 2000;

async function digestOf(path: string): Promise<string> {
  const { ino, size, mtimeMs, ctimeMs } = await stat(path);
  const stamp = `${ino}/${size}/${mtimeMs}/${ctimeMs}`;
  const before = known.get(path);
  if (before?.stamp === stamp) return before.digest;
  const digest = sha256(path);
  known.set(path, { stamp, digest });
  digest.catch(() => known.delete(path));
  for (const oldest of known.keys()) {
    if (known.size <= mostKnown) break;
    known.delete(oldest);
  }
  return digest;
}

/** Why one file of a bundle cannot be trusted; undefined where it is what was sealed. */
export async function damageOfFile(
  folder: string,
  manifest: Manifest,
  file: string,
): Promise<FileDamage | undefined> {
  const path = join(folder, file);
  const sealed = manifest.files[file];
  if (sealed === undefined) return { file, reason: `${path}: damaged: the manifest does not name this file` };
  try {
    const { size } = await stat(path);
    if (size !== sealed.bytes)
      return { file, reason: `${path}: damaged: it has ${size} bytes, ${sealed.bytes} were sealed` };
    if ((await digestOf(path)) !== sealed.sha256)
      return { file, reason: `${path}: damaged: its SHA-256 is not the one that was sealed` };
  } catch (thrown) {
    return { file, reason: `${path}: damaged: ${fileReason(thrown)}` };
  }
  return undefined;
}

/** Every file that the manifest names and that is not what was sealed. */
export async function damageOf(folder: string, manifest: Manifest): Promise<FileDamage[]> {
  const found: FileDamage[] = [];
  for (const file of Object.keys(manifest.files).sort()) {
    const damage = await damageOfFile(folder, manifest, file);
    if (damage !== undefined) found.push(damage);
  }
  return found;
}

/** Throws InputError where the file is not what was sealed. */
export async function requireWhole(folder: string, manifest: Manifest, file: string): Promise<void> {
  const damage = await damageOfFile(folder, manifest, file);
  if (damage !== undefined) throw new InputError(damage.reason);
}
