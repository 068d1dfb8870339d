/**
 * A strict JSON scanner over bytes, for one small object per line: no strings are made, so a trace parses at the speed of
 * its bytes. It throws no error of its own: `failed` says where it stopped and what it expected there.
 */
const maxDepth = 64;

export class JsonScanner {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** What was expected at `at`; undefined while all is well. */
  failed: string | undefined;

  begin(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.failed = undefined;
  }

  fail(expected: string): false {
    this.failed ??= expected;
    return false;
  }

  /** Skips white space; the next byte, -1 at the end. */
  peek(): number {
    while (this.at < this.end) {
      const byte = this.bytes[this.at] ?? -1;
      if (byte !== 32 && byte !== 9 && byte !== 13 && byte !== 10) return byte;
      this.at++;
    }
    return -1;
  }

  /** Takes one punctuation byte. */
  take(byte: number): boolean {
    if (this.peek() !== byte) return this.fail(`"${String.fromCharCode(byte)}"`);
    this.at++;
    return true;
  }

  /** Takes a string and leaves where its contents lie: from the returned index to `at` − 1. -1 where there is none. */
  string(): number {
    if (this.peek() !== 34) {
      this.fail('a string');
      return -1;
    }
    const start = ++this.at;
    while (this.at < this.end) {
      const byte = this.bytes[this.at] ?? 0;
      if (byte === 34) {
        this.at++;
        return start;
      }
      if (byte < 32) break;
      if (byte === 92 && !this.#escape()) return -1;
      this.at++;
    }
    this.fail('the end of a string');
    return -1;
  }

  /** Leaves `at` on the last byte of the escape. */
  #escape(): boolean {
    this.at++;
    const byte = this.bytes[this.at];
    if (this.at >= this.end || byte === undefined) return this.fail('an escape');
    if (byte !== 117) {
      // " \ / b f n r t
      const known =
        byte === 34 ||
        byte === 92 ||
        byte === 47 ||
        byte === 98 ||
        byte === 102 ||
        byte === 110 ||
        byte === 114 ||
        byte === 116;
      return known || this.fail('an escape');
    }
    for (let i = 0; i < 4; i++) {
      this.at++;
      const hex = this.bytes[this.at] ?? 0;
      const isHex = (hex >= 48 && hex <= 57) || (hex >= 65 && hex <= 70) || (hex >= 97 && hex <= 102);
      if (this.at >= this.end || !isHex) return this.fail('four hexadecimal digits');
    }
    return true;
  }

  /** Takes a number; NaN where there is none. Integers up to 15 digits are read without making a string. */
  number(): number {
    const first = this.peek();
    const start = this.at;
    const negative = first === 45;
    if (negative) this.at++;
    const whole = this.at;
    let value = 0;
    let byte = this.#byte();
    while (byte >= 48 && byte <= 57) {
      value = value * 10 + byte - 48;
      this.at++;
      byte = this.#byte();
    }
    const length = this.at - whole;
    if (length === 0 || (length > 1 && this.bytes[whole] === 48)) {
      this.at = start;
      this.fail('a number');
      return Number.NaN;
    }
    const plain = byte !== 46 && byte !== 101 && byte !== 69;
    if (plain && length <= 15) return negative ? -value : value;
    if (byte === 46) {
      this.at++;
      if (!this.#digits()) return this.#noNumber(start);
    }
    byte = this.#byte();
    if (byte === 101 || byte === 69) {
      this.at++;
      byte = this.#byte();
      if (byte === 43 || byte === 45) this.at++;
      if (!this.#digits()) return this.#noNumber(start);
    }
    if (this.at - start > 400) return this.#noNumber(start);
    let text = '';
    for (let i = start; i < this.at; i++) text += String.fromCharCode(this.bytes[i] ?? 0);
    return Number(text);
  }

  #noNumber(start: number): number {
    this.at = start;
    this.fail('a number');
    return Number.NaN;
  }

  #byte(): number {
    return this.at < this.end ? (this.bytes[this.at] ?? -1) : -1;
  }

  #digits(): boolean {
    const start = this.at;
    for (let byte = this.#byte(); byte >= 48 && byte <= 57; byte = this.#byte()) this.at++;
    return this.at > start;
  }

  /** Takes any value and forgets it. */
  skip(depth = 0): boolean {
    if (depth > maxDepth) return this.fail(`at most ${maxDepth} nested values`);
    const byte = this.peek();
    switch (byte) {
      case 34:
        return this.string() >= 0;
      case 123: {
        this.at++;
        if (this.peek() === 125) {
          this.at++;
          return true;
        }
        for (;;) {
          if (this.string() < 0 || !this.take(58) || !this.skip(depth + 1)) return false;
          if (this.peek() === 44) this.at++;
          else return this.take(125);
        }
      }
      case 91: {
        this.at++;
        if (this.peek() === 93) {
          this.at++;
          return true;
        }
        for (;;) {
          if (!this.skip(depth + 1)) return false;
          if (this.peek() === 44) this.at++;
          else return this.take(93);
        }
      }
      case 116:
        return this.#word('true');
      case 102:
        return this.#word('false');
      case 110:
        return this.#word('null');
      default:
        if (byte === 45 || (byte >= 48 && byte <= 57)) {
          this.number();
          return this.failed === undefined;
        }
        return this.fail('a value');
    }
  }

  #word(word: string): boolean {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.at + i] !== word.charCodeAt(i) || this.at + i >= this.end)
        return this.fail('a value');
    }
    this.at += word.length;
    return true;
  }

  /** Whether the bytes from `start` to `at` − 1, a string just taken, are this ASCII word. */
  wasString(start: number, word: string): boolean {
    if (this.at - 1 - start !== word.length) return false;
    for (let i = 0; i < word.length; i++) if (this.bytes[start + i] !== word.charCodeAt(i)) return false;
    return true;
  }
}
