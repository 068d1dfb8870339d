import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../workloads/run/inputError.ts';
import { unpacked, unpackedHead } from './unpack.ts';

const text =
  '{"timestamp": 0, "input_length": 600, "output_length": 1}\n{"timestamp": 900, "input_length": 60, "output_length": 2}\n';
/** The text as the zstd program packs it. */
const zstd = Buffer.from(
  'KLUv/QRYDQIAJAN7InRpbWVzdGFtcCI6IDAsICJpbnB1dF9sZW5ndGgiOiA2MDAsICJvdXQxfQo5MDJ9CgQAXiXgqw93JQ/lMcv8VpiU',
  'base64',
);
const utf16 = (mark: 'le' | 'be'): Buffer => {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return mark === 'le' ? bytes : bytes.swap16();
};

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function contents(bytes: Uint8Array, size = 1000): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of unpacked('t', cut(bytes, size))) parts.push(chunk);
  return Buffer.concat(parts).toString('utf8');
}

describe('packed files', () => {
  it.each([
    ['plain', Buffer.from(text)],
    ['gzip', gzipSync(text)],
    ['two gzip members', Buffer.concat([gzipSync(text.slice(0, 40)), gzipSync(text.slice(40))])],
    ['zstd', zstd],
    ['zstd in gzip', gzipSync(zstd)],
    ['UTF-16, little endian', utf16('le')],
    ['UTF-16, big endian', utf16('be')],
  ])('%s, in pieces of any size', async (_, bytes) => {
    for (const size of [1, 3, 7, 1000])
      expect((await contents(bytes, size)).replace('\ufeff', '')).toBe(text);
    expect(Buffer.from(unpackedHead('t', bytes)).toString('utf8').replace('\ufeff', '')).toBe(text);
  });

  it('the head of a packed file is read although its end is missing', () => {
    const long = text.repeat(20_000);
    const head = unpackedHead('t', gzipSync(long).subarray(0, 3000));
    expect(long.startsWith(Buffer.from(head).toString('utf8'))).toBe(true);
    expect(head.length).toBeGreaterThan(1000);
  });

  it('what is cut off, damaged or packed otherwise is said in one line', async () => {
    await expect(contents(gzipSync(text).subarray(0, 50))).rejects.toThrow(
      't: the gzip data is cut off or damaged',
    );
    await expect(contents(zstd.subarray(0, 60))).rejects.toThrow(
      't: the Zstandard data is cut off or damaged',
    );
    await expect(contents(Buffer.from('PK\x03\x04 and more'))).rejects.toThrow(
      't: a zip archive, expected plain text, .gz or .zst',
    );
    await expect(contents(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0]))).rejects.toThrow(
      'unpack it with xz -dk',
    );
  });

  it('any damage ends in text or an InputError', async () => {
    const packed = [gzipSync(text), zstd];
    await fc.assert(
      fc.asyncProperty(fc.nat(1), fc.nat(200), fc.nat(255), fc.nat(200), async (which, at, value, length) => {
        const bytes = Buffer.from(packed[which] ?? zstd);
        bytes[at % bytes.length] = value;
        await contents(bytes.subarray(0, Math.max(1, length)), 13).catch((thrown: unknown) =>
          expect(thrown).toBeInstanceOf(InputError),
        );
      }),
      { numRuns: 200 },
    );
  });

  it('a reading that stops early closes its source', async () => {
    let closed = false;
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        const bytes = gzipSync(text.repeat(5000));
        for (;;) yield bytes;
      } finally {
        closed = true;
      }
    };
    for await (const _ of unpacked('t', source())) break;
    expect(closed).toBe(true);
  });
});
