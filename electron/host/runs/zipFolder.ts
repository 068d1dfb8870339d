import { constants } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** CRC-32 of zip files, by table: zlib.crc32 is younger than the oldest Node that Dyno supports. */
const table = Uint32Array.from({ length: 256 }, (_, i) => {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

export function crc32(bytes: Uint8Array, before = 0): number {
  let c = ~before;
  for (const byte of bytes) c = (table[(c ^ byte) & 255] ?? 0) ^ (c >>> 8);
  return ~c >>> 0;
}

/** Puts these files of a folder into a zip, stored as they are: Parquet is compressed already. A symbolic link is an error. */
export async function writeZip(folder: string, names: readonly string[], path: string): Promise<number> {
  const temporary = `${path}.${process.pid}.tmp`;
  const out = await open(temporary, 'w');
  try {
    let at = 0;
    const directory: Buffer[] = [];
    const write = async (bytes: Uint8Array) => {
      await out.write(bytes);
      at += bytes.length;
    };
    for (const name of [...names].sort()) {
      const from = await open(join(folder, name), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
      try {
        const found = await from.stat();
        if (!found.isFile()) throw new Error(`${name} is not a regular file`);
        const { size } = found;
        if (size >= 0xffffffff)
          throw new Error(`${name} is larger than 4 GiB: export the bundle as a folder`);
        const chunk = Buffer.alloc(256 * 1024);
        let crc = 0;
        for (;;) {
          const { bytesRead } = await from.read(chunk, 0, chunk.length);
          if (bytesRead === 0) break;
          crc = crc32(chunk.subarray(0, bytesRead), crc);
          await new Promise((resolve) => setImmediate(resolve));
        }
        const entryName = Buffer.from(`${basename(folder)}/${name}`, 'utf8');
        const fields = Buffer.alloc(26);
        fields.writeUInt16LE(20, 0);
        // Names are UTF-8; no compression; 1980-01-01, so that equal bundles give equal files.
        fields.writeUInt16LE(0x0800, 2);
        fields.writeUInt16LE(0x21, 8);
        fields.writeUInt32LE(crc, 10);
        fields.writeUInt32LE(size, 14);
        fields.writeUInt32LE(size, 18);
        fields.writeUInt16LE(entryName.length, 22);
        const offset = at;
        await write(Buffer.concat([Buffer.from('PK\x03\x04'), fields, entryName]));
        let position = 0;
        while (position < size) {
          const { bytesRead } = await from.read(chunk, 0, chunk.length, position);
          if (bytesRead === 0) break;
          await write(chunk.subarray(0, bytesRead));
          position += bytesRead;
        }
        const tail = Buffer.alloc(14);
        tail.writeUInt32LE(offset, 10);
        directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, entryName]));
      } finally {
        await from.close();
      }
    }
    const start = at;
    for (const entry of directory) await write(entry);
    const end = Buffer.alloc(18);
    end.writeUInt16LE(directory.length, 4);
    end.writeUInt16LE(directory.length, 6);
    end.writeUInt32LE(at - start, 8);
    end.writeUInt32LE(start, 12);
    await write(Buffer.concat([Buffer.from('PK\x05\x06'), end]));
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  } finally {
    await out.close();
  }
  await rename(temporary, path);
  return (await stat(path)).size;
}
