/**
 * MessagePack decoder for KV events. https://github.com/msgpack/msgpack/blob/master/spec.md
 * 64-bit integers beyond ±2^53 become BigInt, since block hashes are unsigned 64-bit numbers; smaller ones are numbers.
 */
export type Unpacked =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly Unpacked[]
  | ReadonlyMap<string, Unpacked>;

/** Thrown where bytes are no MessagePack, or too deep. */
export class MsgpackError extends Error {
  override readonly name = 'MsgpackError';
}

const deepest = 64;

/** The one value that the bytes hold. */
export function unpack(bytes: Uint8Array): Unpacked {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length)
    throw new MsgpackError(`${bytes.length - reader.at} bytes behind the value, expected none`);
  return value;
}

class Reader {
  at = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): Unpacked {
    if (depth > deepest) throw new MsgpackError(`nested deeper than ${deepest}`);
    const code = this.u8();
    if (code < 0x80) return code;
    if (code < 0x90) return this.map(code & 15, depth);
    if (code < 0xa0) return this.list(code & 15, depth);
    if (code < 0xc0) return this.text(code & 31);
    if (code >= 0xe0) return code - 0x100;
    switch (code) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.raw(this.u8());
      case 0xc5:
        return this.raw(this.u16());
      case 0xc6:
        return this.raw(this.u32());
      case 0xc7:
        return this.extension(this.u8());
      case 0xc8:
        return this.extension(this.u16());
      case 0xc9:
        return this.extension(this.u32());
      case 0xca:
        return this.view.getFloat32(this.take(4));
      case 0xcb:
        return this.view.getFloat64(this.take(8));
      case 0xcc:
        return this.u8();
      case 0xcd:
        return this.u16();
      case 0xce:
        return this.u32();
      case 0xcf:
        return small(this.view.getBigUint64(this.take(8)));
      case 0xd0:
        return this.view.getInt8(this.take(1));
      case 0xd1:
        return this.view.getInt16(this.take(2));
      case 0xd2:
        return this.view.getInt32(this.take(4));
      case 0xd3:
        return small(this.view.getBigInt64(this.take(8)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.extension(1 << (code - 0xd4));
      case 0xd9:
        return this.text(this.u8());
      case 0xda:
        return this.text(this.u16());
      case 0xdb:
        return this.text(this.u32());
      case 0xdc:
        return this.list(this.u16(), depth);
      case 0xdd:
        return this.list(this.u32(), depth);
      case 0xde:
        return this.map(this.u16(), depth);
      case 0xdf:
        return this.map(this.u32(), depth);
      default:
        throw new MsgpackError(`byte 0x${code.toString(16)} at ${this.at - 1} begins no value`);
    }
  }

  /** Reserves n bytes; returns where they begin. */
  private take(n: number): number {
    const start = this.at;
    if (start + n > this.bytes.length)
      throw new MsgpackError(`cut off at ${this.bytes.length} bytes, ${start + n} expected`);
    this.at = start + n;
    return start;
  }

  private u8(): number {
    return this.view.getUint8(this.take(1));
  }
  private u16(): number {
    return this.view.getUint16(this.take(2));
  }
  private u32(): number {
    return this.view.getUint32(this.take(4));
  }

  private raw(length: number): Uint8Array {
    const start = this.take(length);
    return this.bytes.slice(start, start + length);
  }

  private extension(length: number): Uint8Array {
    this.take(1);
    return this.raw(length);
  }

  private text(length: number): string {
    const start = this.take(length);
    return utf8(this.bytes, start, start + length);
  }

  private list(length: number, depth: number): Unpacked[] {
    // Each item takes a byte at least: a forged length cannot make a huge array.
    if (length > this.bytes.length - this.at)
      throw new MsgpackError(`an array of ${length} in too few bytes`);
    const items: Unpacked[] = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  private map(length: number, depth: number): ReadonlyMap<string, Unpacked> {
    if (2 * length > this.bytes.length - this.at)
      throw new MsgpackError(`a map of ${length} in too few bytes`);
    const entries = new Map<string, Unpacked>();
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1);
      entries.set(typeof key === 'string' ? key : String(key), this.value(depth + 1));
    }
    return entries;
  }
}

const small = (value: bigint): number | bigint =>
  value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;

/** UTF-8 to text; bytes that are none become U+FFFD. */
function utf8(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; ) {
    const first = bytes[i] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    let code = length === 1 ? first : length === 0 ? -1 : first & (0x7f >> length);
    for (let k = 1; k < length; k++) {
      const next = bytes[i + k] ?? 0;
      code = i + k >= to || (next & 0xc0) !== 0x80 || code < 0 ? -1 : (code << 6) | (next & 0x3f);
    }
    text += code < 0 || code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
    i += code < 0 ? 1 : length;
  }
  return text;
}
