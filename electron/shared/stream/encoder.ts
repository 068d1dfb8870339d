import { Buffer } from 'node:buffer';
import type { Batch, Column, ColumnData, TableSchema } from '../../../workloads/run/tables.ts';
import { align8, frameHeadBytes } from './frame.ts';
import type { PlainMessage } from './message.ts';

/** Where a column lies in the body, in bytes; text columns bring their dictionary. */
export interface ColumnPlace {
  readonly offset: number;
  readonly strings?: readonly string[];
}

export type FrameHeader =
  | PlainMessage
  | { readonly kind: 'schema'; readonly id: number; readonly table: TableSchema }
  | {
      readonly kind: 'batch';
      readonly schema: number;
      readonly rows: number;
      readonly columns: readonly ColumnPlace[];
    };

/** Turns messages into frames. Each schema goes out once, before its first batch. */
export class StreamEncoder {
  private readonly schemas = new Map<TableSchema, number>();

  message(message: PlainMessage): Buffer {
    return frame(message, 0).buffer;
  }

  /** One or two frames: the schema where it is new, and the batch. */
  batch(batch: Batch): Buffer[] {
    const frames: Buffer[] = [];
    let id = this.schemas.get(batch.schema);
    if (id === undefined) {
      id = this.schemas.size;
      this.schemas.set(batch.schema, id);
      frames.push(frame({ kind: 'schema', id, table: batch.schema }, 0).buffer);
    }
    const { rows } = batch;
    const parts: Uint8Array[] = [];
    const places: ColumnPlace[] = [];
    let bytes = 0;
    batch.schema.columns.forEach((column, i) => {
      const data = batch.data[i];
      if (data === undefined) throw new Error(`batch of ${batch.schema.name}: no column ${column.name}`);
      const { values, strings } = bodyOf(column, data, rows);
      places.push(strings === undefined ? { offset: bytes } : { offset: bytes, strings });
      parts.push(values);
      bytes += align8(values.byteLength);
    });
    const made = frame({ kind: 'batch', schema: id, rows, columns: places }, bytes);
    parts.forEach((part, i) => {
      made.buffer.set(part, made.body + (places[i]?.offset ?? 0));
    });
    frames.push(made.buffer);
    return frames;
  }
}

function bodyOf(
  column: Column,
  data: ColumnData,
  rows: number,
): { readonly values: Uint8Array; readonly strings?: readonly string[] } {
  if (data.length < rows) {
    throw new Error(`column ${column.name} has ${data.length} values, expected ${rows}`);
  }
  switch (column.type) {
    case 'float64':
    case 'ns':
      if (data instanceof Float64Array) return { values: bytesOf(data.subarray(0, rows)) };
      break;
    case 'int32':
      if (data instanceof Int32Array) return { values: bytesOf(data.subarray(0, rows)) };
      break;
    case 'bool':
      if (data instanceof Uint8Array) return { values: data.subarray(0, rows) };
      break;
    case 'text':
      if (Array.isArray(data)) return coded(data, rows);
      break;
  }
  throw new Error(`column ${column.name}: its data does not fit type ${column.type}`);
}

function coded(values: readonly string[], rows: number) {
  const codes = new Int32Array(rows);
  const strings: string[] = [];
  const known = new Map<string, number>();
  let before: string | undefined;
  let code = 0;
  for (let row = 0; row < rows; row++) {
    const value = values[row] ?? '';
    if (value !== before) {
      before = value;
      const found = known.get(value);
      if (found === undefined) {
        code = strings.length;
        strings.push(value);
        known.set(value, code);
      } else code = found;
    }
    codes[row] = code;
  }
  return { values: bytesOf(codes), strings };
}

const bytesOf = (view: Float64Array | Int32Array): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function frame(header: FrameHeader, bodyBytes: number): { readonly buffer: Buffer; readonly body: number } {
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const headerBytes = align8(text.length);
  const buffer = Buffer.alloc(frameHeadBytes + headerBytes + bodyBytes);
  buffer.writeUInt32LE(headerBytes, 0);
  buffer.writeUInt32LE(bodyBytes, 4);
  text.copy(buffer, frameHeadBytes);
  buffer.fill(32, frameHeadBytes + text.length, frameHeadBytes + headerBytes);
  return { buffer, body: frameHeadBytes + headerBytes };
}
