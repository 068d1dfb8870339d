// As much of MessagePack as KV events need. Written apart from the decoder that it tests.

export type Packable =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly Packable[]
  | PackableMap;
export interface PackableMap {
  readonly [key: string]: Packable;
}

export function packed(value: Packable): Buffer {
  const parts: Buffer[] = [];
  pack(value, parts);
  return Buffer.concat(parts);
}

function pack(value: Packable, to: Buffer[]): void {
  if (value === null) to.push(Buffer.from([0xc0]));
  else if (typeof value === 'boolean') to.push(Buffer.from([value ? 0xc3 : 0xc2]));
  else if (typeof value === 'bigint') to.push(bigInteger(value));
  else if (typeof value === 'number') to.push(numberBytes(value));
  else if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    to.push(header(bytes.length, 0xa0, 31, [0xd9, 0xda, 0xdb]), bytes);
  } else if (value instanceof Uint8Array) {
    to.push(header(value.length, -1, -1, [0xc4, 0xc5, 0xc6]), Buffer.from(value));
  } else if (isList(value)) {
    to.push(header(value.length, 0x90, 15, [-1, 0xdc, 0xdd]));
    for (const item of value) pack(item, to);
  } else {
    const entries = Object.entries(value);
    to.push(header(entries.length, 0x80, 15, [-1, 0xde, 0xdf]));
    for (const [key, item] of entries) {
      pack(key, to);
      pack(item, to);
    }
  }
}

const isList = (value: readonly Packable[] | PackableMap): value is readonly Packable[] =>
  Array.isArray(value);

function header(
  length: number,
  fix: number,
  fixMax: number,
  codes: readonly [number, number, number],
): Buffer {
  if (fix >= 0 && length <= fixMax) return Buffer.from([fix | length]);
  if (codes[0] >= 0 && length < 256) return Buffer.from([codes[0], length]);
  if (length < 65_536) return Buffer.from([codes[1], length >> 8, length & 255]);
  const bytes = Buffer.alloc(5);
  bytes[0] = codes[2];
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function bigInteger(value: bigint): Buffer {
  const bytes = Buffer.alloc(9);
  if (value < 0n) {
    bytes[0] = 0xd3;
    bytes.writeBigInt64BE(value, 1);
  } else {
    bytes[0] = 0xcf;
    bytes.writeBigUInt64BE(value, 1);
  }
  return bytes;
}

function numberBytes(value: number): Buffer {
  if (Number.isInteger(value) && value >= 0 && value < 128) return Buffer.from([value]);
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) {
    const bytes = Buffer.alloc(5);
    bytes[0] = 0xce;
    bytes.writeUInt32BE(value, 1);
    return bytes;
  }
  if (Number.isInteger(value) && value < 0 && value >= -32) return Buffer.from([0x100 + value]);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}
