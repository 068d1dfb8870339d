import { InputError } from '../../run/inputError.ts';
import { type LineHandler, maxLineBytes } from '../lines.ts';

/**
 * Splits a stream of bytes that is one JSON array of objects into its elements and hands each over, like a line. Memory is
 * bounded by the longest element allowed (16 MiB). The element itself is not checked here, only where it ends.
 */
export class JsonElements {
  readonly #name: string;
  readonly #handle: LineHandler;
  readonly #inside: boolean;
  #carry: Uint8Array[] = [];
  #carried = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #begun = false;
  #done = false;
  #number = 0;

  /** `inside`: the stream begins behind the array's opening bracket, and what follows the closing one is left unread. */
  constructor(name: string, handle: LineHandler, inside = false) {
    this.#name = name;
    this.#handle = handle;
    this.#inside = inside;
    this.#begun = inside;
  }

  /** False where the handler wants no more. */
  push(chunk: Uint8Array): boolean {
    let from = this.#depth > 0 ? 0 : -1;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0;
      if (this.#depth === 0) {
        if (byte === 32 || byte === 9 || byte === 10 || byte === 13) continue;
        if (!this.#begun) {
          if (byte === 0xef || byte === 0xbb || byte === 0xbf) continue;
          this.#begun = true;
          continue;
        }
        if (byte === 44 && !this.#done) continue;
        if (byte === 93 && !this.#done) {
          this.#done = true;
          if (this.#inside) return false;
          continue;
        }
        if (byte !== 123 || this.#done)
          throw new InputError(
            `${this.#name}: ${JSON.stringify(String.fromCharCode(byte))} after element ${this.#number}, expected ${this.#done ? 'the end of the file' : 'an object'}`,
          );
        this.#depth = 1;
        from = i;
        continue;
      }
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === 92) this.#escaped = true;
        else if (byte === 34) this.#inString = false;
        continue;
      }
      if (byte === 34) this.#inString = true;
      else if (byte === 123 || byte === 91) this.#depth++;
      else if (byte === 125 || byte === 93) {
        this.#depth--;
        if (this.#depth === 0) {
          const whole = this.#joined(chunk.subarray(Math.max(0, from), i + 1));
          this.#number++;
          if (!this.#handle(whole, 0, whole.length, this.#number)) return false;
          from = -1;
        }
      }
    }
    if (this.#depth > 0) this.#keep(chunk.slice(Math.max(0, from)));
    return true;
  }

  end(): void {
    if (this.#depth > 0 || !this.#done)
      throw new InputError(
        `${this.#name}: the file ends ${this.#depth > 0 ? `inside element ${this.#number + 1}` : `after element ${this.#number}`}, expected "]"; the file is cut off`,
      );
  }

  #keep(part: Uint8Array): void {
    this.#carried += part.length;
    if (this.#carried > maxLineBytes)
      throw new InputError(
        `${this.#name}: element ${this.#number + 1} is longer than ${maxLineBytes / 1048576} MiB, expected one request or conversation per element`,
      );
    this.#carry.push(part);
  }

  #joined(last: Uint8Array): Uint8Array {
    if (this.#carried === 0) return last;
    const whole = new Uint8Array(this.#carried + last.length);
    let at = 0;
    for (const part of this.#carry) {
      whole.set(part, at);
      at += part.length;
    }
    whole.set(last, at);
    this.#carry = [];
    this.#carried = 0;
    return whole;
  }
}
