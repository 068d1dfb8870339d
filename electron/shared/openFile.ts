import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import { InputError } from '../../workloads/run/inputError.ts';
import { unpacked, unpackedHead } from './unpack.ts';

const whyNot: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'a part of the path is not a folder',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  EEXIST: 'there is already something of that name',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'the name is too long',
};

/** The reason of a failed file operation in words. */
export function fileReason(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  return whyNot[code] ?? (thrown instanceof Error ? thrown.message : String(thrown));
}

/** Throws InputError unless `path` is a file (or pipe) with something in it. Returns its size; 0 for a pipe. */
export function checkReadable(path: string, expected: string): number {
  let size: number;
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw new InputError(`${path}: it is a folder, expected ${expected}`);
    if (stat.isCharacterDevice() || stat.isBlockDevice())
      throw new InputError(`${path}: it is a device, expected ${expected}`);
    if (stat.isFile() && stat.size === 0)
      throw new InputError(`${path}: the file is empty, expected ${expected}`);
    size = stat.isFile() ? stat.size : 0;
  } catch (thrown) {
    if (thrown instanceof InputError) throw thrown;
    throw new InputError(`${path}: ${fileReason(thrown)}, expected ${expected}`);
  }
  return size;
}

/** A document of Dyno, a run spec say, has some kilobytes; a pipe could go on for ever. */
const mostDocumentBytes = 64 * 1024 * 1024;

/**
 * The bytes of a file or pipe of at most `mostBytes`. Throws InputError for a device or a folder, for one that is empty, too
 * large or cannot be read.
 */
export function readWhole(path: string, expected: string, mostBytes = mostDocumentBytes): Buffer {
  checkReadable(path, expected);
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    const file = openSync(path, 'r');
    try {
      for (;;) {
        const part = Buffer.alloc(256 * 1024);
        const read = readSync(file, part);
        if (read === 0) break;
        bytes += read;
        if (bytes > mostBytes)
          throw new InputError(`${path}: it has more than ${mostBytes / 1048576} MiB, expected ${expected}`);
        parts.push(part.subarray(0, read));
      }
    } finally {
      closeSync(file);
    }
  } catch (thrown) {
    if (thrown instanceof InputError) throw thrown;
    throw new InputError(`${path}: ${fileReason(thrown)}, expected ${expected}`);
  }
  return Buffer.concat(parts);
}

/** The JSON document in a text. Throws InputError, which quotes nothing of a text that is not JSON. */
export function parseJson(path: string, text: string, expected: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (thrown) {
    const at = /position (\d+)/.exec(thrown instanceof Error ? thrown.message : '')?.[1];
    throw new InputError(
      `${path}: it is not JSON${at === undefined ? '' : ` from character ${at} on`}, expected ${expected}`,
    );
  }
}

/** The JSON document in a file or pipe. Throws InputError as `readWhole` and `parseJson` do. */
export const readJson = (path: string, expected: string): unknown =>
  parseJson(path, readWhole(path, expected).toString('utf8'), expected);

/** The contents of a file in chunks, unpacked where it is .gz, .zst or UTF-16; `onChunk` may throw to stop the reading. */
export const openBytes = (path: string, onChunk?: () => void): AsyncGenerator<Uint8Array> =>
  unpacked(path, rawBytes(path, onChunk));

/** The first bytes of a file as they lie on the disk. */
export function rawHead(path: string, length: number): Uint8Array {
  const head = new Uint8Array(length);
  const file = openSync(path, 'r');
  try {
    let have = 0;
    for (;;) {
      const more = readSync(file, head, have, length - have, null);
      have += more;
      if (more === 0 || have === length) return head.subarray(0, have);
    }
  } finally {
    closeSync(file);
  }
}

/** The first bytes of a file's contents, unpacked: at most `length` of a plain file, what as many packed ones hold of others. */
export const unpackedHeadOf = (path: string, length: number): Uint8Array =>
  unpackedHead(path, rawHead(path, length));

async function* rawBytes(path: string, onChunk?: () => void): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  try {
    for await (const chunk of file) {
      onChunk?.();
      yield chunk as Uint8Array;
    }
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown) throw new InputError(`${path}: ${fileReason(thrown)}`);
    throw thrown;
  } finally {
    file.destroy();
  }
}
