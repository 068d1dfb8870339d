/**
 * Protocol-buffer wire format, read field by field: enough for a report whose message types are known by number. A field
 * of an unknown number is skipped by its wire type, as the format promises.
 */
export interface Field {
  readonly number: number;
  /** A varint or a fixed number; undefined for a length-delimited field. */
  readonly value: number | undefined;
  /** The bits of a fixed field as a double or float. */
  readonly real: number | undefined;
  readonly bytes: Buffer | undefined;
}

export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Calls `visit` for each field. Throws WireError where the bytes are no message. */
export function readFields(message: Buffer, visit: (field: Field) => void): void {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i += 1) {
      const byte = message[at];
      if (byte === undefined) throw new WireError('a number runs over the end');
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new WireError('a number is longer than ten bytes');
  };
  while (at < message.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    if (number === 0) throw new WireError('a field has number 0');
    switch (key % 8) {
      case 0:
        visit({ number, value: varint(), real: undefined, bytes: undefined });
        break;
      case 1:
        if (at + 8 > message.length) throw new WireError('a double runs over the end');
        visit({ number, value: undefined, real: message.readDoubleLE(at), bytes: undefined });
        at += 8;
        break;
      case 2: {
        const length = varint();
        if (at + length > message.length) throw new WireError('a field runs over the end');
        visit({ number, value: undefined, real: undefined, bytes: message.subarray(at, at + length) });
        at += length;
        break;
      }
      case 5:
        if (at + 4 > message.length) throw new WireError('a float runs over the end');
        visit({ number, value: undefined, real: message.readFloatLE(at), bytes: undefined });
        at += 4;
        break;
      default:
        throw new WireError(`wire type ${key % 8} is not one`);
    }
  }
}
