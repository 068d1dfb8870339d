import { Buffer } from 'node:buffer';
import type { Column, TableSchema } from '../../../workloads/run/tables.ts';
import type { ColumnPlace, FrameHeader } from './encoder.ts';
import { frameHeadBytes, maxBodyBytes, maxHeaderBytes, StreamError } from './frame.ts';
import type { StreamBatch, StreamColumn, StreamMessage } from './message.ts';

/** Reads frames from chunks of any size. `end` reports a stream that broke off, after every whole message was returned. */
export class StreamDecoder {
  private readonly schemas: TableSchema[] = [];
  private readonly head = Buffer.alloc(frameHeadBytes);
  private headFilled = 0;
  private frame: Uint8Array | undefined;
  private frameFilled = 0;
  private headerBytes = 0;

  /** Calls `take` for every message that this chunk completes. */
  push(chunk: Uint8Array, take: (message: StreamMessage) => void): void {
    let at = 0;
    while (at < chunk.length || this.isComplete()) {
      if (this.frame === undefined) {
        const wanted = Math.min(frameHeadBytes - this.headFilled, chunk.length - at);
        this.head.set(chunk.subarray(at, at + wanted), this.headFilled);
        this.headFilled += wanted;
        at += wanted;
        if (this.headFilled < frameHeadBytes) return;
        this.headerBytes = this.head.readUInt32LE(0);
        const bodyBytes = this.head.readUInt32LE(4);
        if (this.headerBytes > maxHeaderBytes || bodyBytes > maxBodyBytes || this.headerBytes % 8 !== 0) {
          throw new StreamError(`a frame of ${this.headerBytes} + ${bodyBytes} bytes: not an event stream`);
        }
        this.frame = new Uint8Array(this.headerBytes + bodyBytes);
        this.frameFilled = 0;
      }
      const wanted = Math.min(this.frame.length - this.frameFilled, chunk.length - at);
      this.frame.set(chunk.subarray(at, at + wanted), this.frameFilled);
      this.frameFilled += wanted;
      at += wanted;
      if (this.frameFilled < this.frame.length) return;
      const whole = this.frame;
      this.frame = undefined;
      this.headFilled = 0;
      const message = this.read(whole);
      if (message !== undefined) take(message);
    }
  }

  /** Bytes of a frame that never ended; 0 where the stream ended between two frames. */
  end(): number {
    return this.headFilled + this.frameFilled * (this.frame === undefined ? 0 : 1);
  }

  private isComplete(): boolean {
    return this.frame !== undefined && this.frameFilled === this.frame.length;
  }

  private read(bytes: Uint8Array): StreamMessage | undefined {
    let header: FrameHeader;
    try {
      header = JSON.parse(
        Buffer.from(bytes.buffer, bytes.byteOffset, this.headerBytes).toString('utf8'),
      ) as FrameHeader;
    } catch {
      throw new StreamError('a frame whose header is not JSON');
    }
    switch (header.kind) {
      case 'schema':
        this.schemas[header.id] = header.table;
        return undefined;
      case 'batch': {
        const schema = this.schemas[header.schema];
        if (schema === undefined) throw new StreamError(`a batch of unknown schema ${header.schema}`);
        const body = bytes.subarray(this.headerBytes);
        return batchOf(schema, header.rows, header.columns, body);
      }
      default:
        return header;
    }
  }
}

function batchOf(
  schema: TableSchema,
  rows: number,
  places: readonly ColumnPlace[],
  body: Uint8Array,
): StreamBatch {
  const columns = schema.columns.map((column, i) => {
    const place = places[i];
    if (place === undefined || place.offset + rows * widthOf(column) > body.length) {
      throw new StreamError(`a batch of ${schema.name} without the values of ${column.name}`);
    }
    return columnOf(column, rows, place, body);
  });
  return { kind: 'batch', schema, rows, columns };
}

const widthOf = (column: Column): number =>
  column.type === 'bool' ? 1 : column.type === 'int32' || column.type === 'text' ? 4 : 8;

function columnOf(column: Column, rows: number, place: ColumnPlace, body: Uint8Array): StreamColumn {
  const at = body.byteOffset + place.offset;
  switch (column.type) {
    case 'float64':
    case 'ns':
      return new Float64Array(body.buffer, at, rows);
    case 'int32':
      return new Int32Array(body.buffer, at, rows);
    case 'bool':
      return new Uint8Array(body.buffer, at, rows);
    case 'text':
      return { codes: new Int32Array(body.buffer, at, rows), dictionary: place.strings ?? [] };
  }
}
