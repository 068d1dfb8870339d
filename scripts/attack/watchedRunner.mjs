// The runner, with a note of every batch at the moment it leaves: what a kill lost is counted against these notes.
//
//   DYNO_ATTACK_RUNNER   the real entry
//   DYNO_ATTACK_SENT     the notes, one JSON line each: {"at": ms since 1970, "table": "samples", "rows": 40}
import { appendFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const eventsFd = 3;
const notes = process.env['DYNO_ATTACK_SENT'];
/** Table names by schema id, from the schema frames. */
const tables = [''].slice(1);

/** Reads the frame heads of one write, see electron/shared/stream/frame.ts. @param {Buffer} bytes */
function note(bytes) {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const headerBytes = bytes.readUInt32LE(at);
    const bodyBytes = bytes.readUInt32LE(at + 4);
    const header = JSON.parse(bytes.toString('utf8', at + 8, at + 8 + headerBytes));
    if (header.kind === 'schema') tables[header.id] = header.table.name;
    if (header.kind === 'batch')
      appendFileSync(
        notes ?? '',
        `${JSON.stringify({ at: Date.now(), table: tables[header.schema], rows: header.rows })}\n`,
      );
    at += 8 + headerBytes + bodyBytes;
  }
}

if (isMainThread && notes !== undefined) {
  const socket = /** @type {any} */ (Socket.prototype);
  const { write } = socket;
  socket.write = /** @this {any} @param {any[]} given */ function (...given) {
    const [bytes] = given;
    if (this._handle?.fd === eventsFd && bytes instanceof Uint8Array)
      note(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return write.apply(this, given);
  };
}
await import(process.env['DYNO_ATTACK_RUNNER'] ?? '');
