import { InputError } from '../run/inputError.ts';

/** The longest line that a trace may have: a request with a million tokens has about 16 KB. */
export const maxLineBytes = 16 * 1024 * 1024;

/** Handles line `number` (from 1), the bytes start..end of `bytes` without the line break; false stops the reading. */
export type LineHandler = (bytes: Uint8Array, start: number, end: number, number: number) => boolean;

const newline = 10;
const carriageReturn = 13;

/**
 * Splits a stream of bytes into lines and hands each over where it lies, without copying; only a line that straddles two
 * chunks is put together first. Memory is bounded by the longest line allowed. Accepts LF and CRLF, a byte order mark,
 * and a last line without a line break; skips blank lines.
 */
export async function forEachLine(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  handle: LineHandler,
  progress?: (bytesRead: number) => void,
): Promise<void> {
  let carry = new Uint8Array(0);
  let carried = 0;
  let number = 0;
  let bytesRead = 0;

  const keep = (part: Uint8Array): void => {
    const needed = carried + part.length;
    if (needed > maxLineBytes) {
      throw new InputError(
        `${name}:${number + 1}: a line longer than ${maxLineBytes / 1048576} MiB, expected one request per line`,
      );
    }
    if (needed > carry.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * carry.length, 4096));
      larger.set(carry.subarray(0, carried));
      carry = larger;
    }
    carry.set(part, carried);
    carried = needed;
  };

  const line = (bytes: Uint8Array, from: number, to: number): boolean => {
    number++;
    let start = from;
    let end = to;
    if (
      number === 1 &&
      bytes[start] === 0xef &&
      bytes[start + 1] === 0xbb &&
      bytes[start + 2] === 0xbf &&
      end - start >= 3
    )
      start += 3;
    if (end > start && bytes[end - 1] === carriageReturn) end--;
    if (isBlank(bytes, start, end)) return true;
    return handle(bytes, start, end, number);
  };

  for await (const chunk of chunks) {
    bytesRead += chunk.length;
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(newline, start);
      if (end < 0) break;
      let goOn: boolean;
      if (carried > 0) {
        keep(chunk.subarray(start, end));
        const length = carried;
        carried = 0;
        goOn = line(carry, 0, length);
      } else goOn = line(chunk, start, end);
      if (!goOn) {
        progress?.(bytesRead);
        return;
      }
      start = end + 1;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
    progress?.(bytesRead);
  }
  if (carried > 0) line(carry, 0, carried);
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte !== 32 && byte !== 9) return false;
  }
  return true;
}

/** The start of what was found, for an error message: printable ASCII, at most 40 characters, in quotes. */
export function shown(bytes: Uint8Array, start: number, end: number): string {
  if (start >= end) return 'the end of the line';
  let text = '';
  const stop = Math.min(end, start + 40);
  for (let i = start; i < stop; i++) {
    const byte = bytes[i] ?? 0;
    text += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return `"${text}${stop < end ? '…' : ''}"`;
}

/** Integer of decimal digits start..end; -1 where it is not one, or does not stay below 2^53. */
export function digits(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 16) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] ?? 0) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}
