import { InputError } from '../run/inputError.ts';

/**
 * safetensors: 8 bytes of header length (little-endian), a JSON header of names → {dtype, shape, data_offsets}, then the data. The
 * header is checked before anything is read: sizes follow from shape and type, tensors neither overlap nor leave the file.
 * Source: https://github.com/huggingface/safetensors, "Format".
 */

const typeBytes: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** The format's own limit. */
const mostHeaderBytes = 100_000_000;

/** Length of the header, from the file's first 8 bytes. Throws InputError. */
export function headerBytes(file: string, first8: Uint8Array, fileBytes: number): number {
  if (first8.length < 8) {
    throw new InputError(
      `${file}: ${fileBytes} bytes, expected a safetensors file: it begins with 8 bytes of header length`,
    );
  }
  const length = new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(mostHeaderBytes) || length < 2n) {
    throw new InputError(
      `${file}: header length ${length}, expected a safetensors file (2 .. ${mostHeaderBytes})`,
    );
  }
  if (Number(length) + 8 > fileBytes) {
    throw new InputError(
      `${file}: the header takes ${length} bytes, but the file has ${fileBytes}: it is cut off`,
    );
  }
  return Number(length);
}

/** The tensors of a file, checked. `document`: the header's JSON, which takes `length` bytes after the first 8. Throws InputError. */
export function readHeader(
  file: string,
  document: unknown,
  length: number,
  fileBytes: number,
): StoredTensor[] {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new InputError(`${file}: its header is no object, expected a safetensors file`);
  }
  const base = 8 + length;
  const room = fileBytes - base;
  const tensors: StoredTensor[] = [];
  for (const [name, entry] of Object.entries(document)) {
    if (name !== '__metadata__') tensors.push(tensorOf(file, name, entry, base, room));
  }
  tensors.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = base;
  let before = '';
  for (const tensor of tensors) {
    if (tensor.offset < end) {
      throw new InputError(
        `${file}: ${tensor.name} overlaps ${before}, expected tensors one after the other`,
      );
    }
    end = tensor.offset + tensor.bytes;
    before = tensor.name;
  }
  return tensors;
}

function tensorOf(file: string, name: string, entry: unknown, base: number, room: number): StoredTensor {
  const short = name.length > 120 ? `${name.slice(0, 117)}…` : name;
  const fail = (what: string): never => {
    throw new InputError(`${file}: ${short}: ${what}`);
  };
  if (typeof entry !== 'object' || entry === null)
    return fail('no object, expected dtype, shape and data_offsets');
  const { dtype, shape, data_offsets: offsets } = entry as Readonly<Record<string, unknown>>;
  const width = typeof dtype === 'string' ? typeBytes[dtype] : undefined;
  if (typeof dtype !== 'string' || width === undefined) {
    return fail(`dtype ${JSON.stringify(dtype)}, expected one of ${Object.keys(typeBytes).join(', ')}`);
  }
  const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  if (!Array.isArray(shape) || !shape.every(isSize)) return fail('shape: expected a list of whole numbers');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return fail('data_offsets: expected two whole numbers');
  }
  const [from = 0, to = 0] = offsets as number[];
  const expected = shape.reduce<number>((product, size) => product * size, width);
  if (to - from !== expected) {
    return fail(`${to - from} bytes, expected ${expected} for ${dtype} [${shape.join(', ')}]`);
  }
  if (to > room) {
    return fail(`ends at byte ${base + to}, but the file has ${base + room}: it is cut off`);
  }
  return { name, dtype, shape, offset: base + from, bytes: expected };
}

/** Names → shards of `model.safetensors.index.json`. Throws InputError. */
export function readShardIndex(file: string, document: unknown): Map<string, string> {
  const map =
    typeof document === 'object' && document !== null && 'weight_map' in document
      ? document.weight_map
      : undefined;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new InputError(`${file}: weight_map: absent, expected names of tensors and their files`);
  }
  const shards = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || shard === '' || /[\\/]|^\.\.?$/.test(shard)) {
      throw new InputError(
        `${file}: weight_map.${name}: ${JSON.stringify(shard)}, expected a file in the same folder`,
      );
    }
    shards.set(name, shard);
  }
  return shards;
}

/** One file's bytes. Tensors in the given order, header padded to 8 bytes. */
export function writeSafetensors(
  tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly data: Uint8Array;
  }[],
): Uint8Array {
  let at = 0;
  const header: Record<string, unknown> = {};
  for (const { name, dtype, shape, data } of tensors) {
    header[name] = { dtype, shape, data_offsets: [at, at + data.length] };
    at += data.length;
  }
  // ASCII: other characters of names are escaped.
  const text = JSON.stringify(header).replace(
    /[\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8);
  const bytes = Uint8Array.from(padded, (c) => c.charCodeAt(0));
  const out = new Uint8Array(8 + bytes.length + at);
  new DataView(out.buffer).setBigUint64(0, BigInt(bytes.length), true);
  out.set(bytes, 8);
  let offset = 8 + bytes.length;
  for (const { data } of tensors) {
    out.set(data, offset);
    offset += data.length;
  }
  return out;
}
