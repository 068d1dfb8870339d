/** UTF-8 in pure TypeScript: this room has no TextDecoder. Bytes that are no UTF-8 become U+FFFD. */

/** Bytes of the well-formed sequence at `at`, 0 where there is none (RFC 3629: no overlong forms, no surrogates). */
function sequenceAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const second = at + 1 < end ? (bytes[at + 1] ?? 0) : 0;
  const continued = (offset: number): boolean =>
    at + offset < end && ((bytes[at + offset] ?? 0) & 0xc0) === 0x80;
  if (first >= 0xc2 && first <= 0xdf) return continued(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continued(1) || !continued(2)) return 0;
    if (first === 0xe0 && second < 0xa0) return 0;
    return first === 0xed && second > 0x9f ? 0 : 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continued(1) || !continued(2) || !continued(3)) return 0;
    if (first === 0xf0 && second < 0x90) return 0;
    return first === 0xf4 && second > 0x8f ? 0 : 4;
  }
  return 0;
}

export function isUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; ) {
    const size = sequenceAt(bytes, at, to);
    if (size === 0) return false;
    at += size;
  }
  return true;
}

export function decodeUtf8(bytes: Uint8Array, from = 0, to = bytes.length): string {
  const parts: string[] = [];
  let codes: number[] = [];
  for (let at = from; at < to; ) {
    const size = sequenceAt(bytes, at, to);
    const byte = bytes[at] ?? 0;
    let code = 0xfffd;
    if (size === 1) code = byte;
    else if (size > 1) {
      code = byte & (0xff >> (size + 1));
      for (let i = 1; i < size; i++) code = (code << 6) | ((bytes[at + i] ?? 0) & 0x3f);
    }
    codes.push(code);
    at += Math.max(1, size);
    if (codes.length === 4096) {
      parts.push(String.fromCodePoint(...codes));
      codes = [];
    }
  }
  parts.push(String.fromCodePoint(...codes));
  return parts.join('');
}

export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    let code = text.codePointAt(i) ?? 0xfffd;
    if (code > 0xffff) i++;
    else if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) bytes[at++] = code;
    else if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6);
      bytes[at++] = 0x80 | (code & 0x3f);
    } else if (code < 0x10000) {
      bytes[at++] = 0xe0 | (code >> 12);
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[at++] = 0x80 | (code & 0x3f);
    } else {
      // Four bytes for two UTF-16 units: within the three bytes per unit that were allotted.
      bytes[at++] = 0xf0 | (code >> 18);
      bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[at++] = 0x80 | (code & 0x3f);
    }
  }
  return bytes.subarray(0, at);
}
