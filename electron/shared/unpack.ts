import { Readable } from 'node:stream';
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import { Decompress } from 'fzstd';
import { InputError } from '../../workloads/run/inputError.ts';

export type Packing = 'gzip' | 'zstd' | 'utf16le' | 'utf16be';

const packings: readonly { readonly packing: Packing; readonly magic: readonly number[] }[] = [
  { packing: 'gzip', magic: [0x1f, 0x8b] },
  { packing: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { packing: 'utf16le', magic: [0xff, 0xfe] },
  { packing: 'utf16be', magic: [0xfe, 0xff] },
];

/** Packings that are known by their first bytes but not read here, with the command that unpacks them. */
const foreign: readonly {
  readonly name: string;
  readonly magic: readonly number[];
  readonly hint: string;
}[] = [
  { name: 'an xz file', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], hint: 'unpack it with xz -dk' },
  { name: 'a bzip2 file', magic: [0x42, 0x5a, 0x68], hint: 'unpack it with bunzip2 -k' },
  { name: 'a zip archive', magic: [0x50, 0x4b, 0x03, 0x04], hint: 'unpack it with unzip' },
  { name: 'an lz4 file', magic: [0x04, 0x22, 0x4d, 0x18], hint: 'unpack it with lz4 -d' },
  { name: 'a 7z archive', magic: [0x37, 0x7a, 0xbc, 0xaf], hint: 'unpack it with 7z x' },
  { name: 'a Parquet file', magic: [0x50, 0x41, 0x52, 0x31], hint: 'write it as CSV or JSON lines' },
];

const begins = (head: Uint8Array, magic: readonly number[]): boolean =>
  magic.every((byte, i) => head[i] === byte);

export const packingOf = (head: Uint8Array): Packing | undefined =>
  packings.find(({ magic }) => begins(head, magic))?.packing;

/** Throws InputError for a packing that must be undone by hand. */
export function checkPacking(name: string, head: Uint8Array): void {
  const found = foreign.find(({ magic }) => begins(head, magic));
  if (found !== undefined)
    throw new InputError(`${name}: ${found.name}, expected plain text, .gz or .zst; ${found.hint}`);
}

/**
 * The bytes of a file as they were before it was packed: gzip and Zstandard are undone, UTF-16 becomes UTF-8, each as a
 * stream. Files in neither are passed on as they are.
 *
 * @throws InputError for a packing that is not read, and for a file that is cut off or damaged
 */
export async function* unpacked(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return;
  let head = first.value;
  // A pipe may give its first bytes one by one.
  while (head.length < 8) {
    const next = await iterator.next();
    if (next.done === true) break;
    const both = new Uint8Array(head.length + next.value.length);
    both.set(head);
    both.set(next.value, head.length);
    head = both;
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield head;
      for (;;) {
        const next = await iterator.next();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  checkPacking(name, head);
  const packing = packingOf(head);
  switch (packing) {
    case undefined:
      yield* whole();
      return;
    case 'gzip':
      yield* unpacked(name, gunzipped(name, whole()));
      return;
    case 'zstd':
      yield* unpacked(name, unzstd(name, whole()));
      return;
    case 'utf16le':
    case 'utf16be':
      yield* asUtf8(packing, whole());
      return;
    default:
      packing satisfies never;
  }
}

async function* gunzipped(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks);
  const gunzip = createGunzip();
  let failed: unknown;
  source.on('error', (error) => {
    failed = error;
    gunzip.destroy();
  });
  try {
    for await (const chunk of source.pipe(gunzip)) yield chunk as Uint8Array;
  } catch (thrown) {
    // What stopped the source (a cancelled reading, a file that went away) is the cause, where there is one.
    if (failed !== undefined) throw failed;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new InputError(
      `${name}: the gzip data is cut off or damaged (${reason}), expected a whole .gz file; gzip -t checks it`,
    );
  } finally {
    source.destroy();
    gunzip.destroy();
  }
  if (failed !== undefined) throw failed;
}

async function* unzstd(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const stream = new Decompress((piece) => {
    // The decompressor writes into its window again: what is passed on is a copy.
    if (piece.length > 0) ready.push(piece.slice());
  });
  const damaged = (thrown: unknown): InputError =>
    new InputError(
      `${name}: the Zstandard data is cut off or damaged (${thrown instanceof Error ? thrown.message : String(thrown)}), expected a whole .zst file; zstd -t checks it`,
    );
  for await (const chunk of chunks) {
    try {
      stream.push(chunk);
    } catch (thrown) {
      throw damaged(thrown);
    }
    yield* ready;
    ready = [];
  }
  try {
    stream.push(new Uint8Array(0), true);
  } catch (thrown) {
    throw damaged(thrown);
  }
  yield* ready;
}

async function* asUtf8(
  packing: 'utf16le' | 'utf16be',
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder(packing === 'utf16le' ? 'utf-16le' : 'utf-16be');
  const encoder = new TextEncoder();
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true });
    if (text !== '') yield encoder.encode(text);
  }
  const last = decoder.decode();
  if (last !== '') yield encoder.encode(last);
}

/** So much of a file's unpacked contents is enough to tell what it is. */
const mostHeadBytes = 16 * 1024 * 1024;

/** Half as much again and again where a head would unpack into more than is looked at. */
function gunzippedHead(head: Uint8Array): Uint8Array {
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: mostHeadBytes });
  } catch (thrown) {
    const isTooLong = thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_BUFFER_TOO_LARGE';
    if (!isTooLong || head.length < 64) throw thrown;
    return gunzippedHead(head.subarray(0, head.length >> 1));
  }
}

/** The contents that the first bytes of a file hold, unpacked as far as they go. Throws InputError as `unpacked` does. */
export function unpackedHead(name: string, head: Uint8Array): Uint8Array {
  checkPacking(name, head);
  const packing = packingOf(head);
  switch (packing) {
    case undefined:
      return head;
    case 'gzip':
      try {
        return unpackedHead(name, gunzippedHead(head));
      } catch (thrown) {
        if (thrown instanceof InputError) throw thrown;
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        throw new InputError(
          `${name}: the gzip data is damaged (${reason}), expected a whole .gz file; gzip -t checks it`,
        );
      }
    case 'zstd': {
      const pieces: Uint8Array[] = [];
      let bytes = 0;
      try {
        new Decompress((piece) => {
          pieces.push(piece.slice());
          bytes += piece.length;
          // Ends the unpacking: some bytes of Zstandard can stand for gigabytes.
          if (bytes > mostHeadBytes) throw new RangeError('the head is long enough');
        }).push(head);
      } catch (thrown) {
        if (pieces.length === 0)
          throw new InputError(
            `${name}: the Zstandard data is damaged (${thrown instanceof Error ? thrown.message : String(thrown)}), expected a whole .zst file; zstd -t checks it`,
          );
      }
      return unpackedHead(name, Buffer.concat(pieces));
    }
    case 'utf16le':
    case 'utf16be':
      return new TextEncoder().encode(
        new TextDecoder(packing === 'utf16le' ? 'utf-16le' : 'utf-16be').decode(
          head.subarray(0, head.length - (head.length % 2)),
        ),
      );
    default:
      return packing satisfies never;
  }
}
