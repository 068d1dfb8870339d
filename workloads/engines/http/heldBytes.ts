/** Bytes kept between two reads, in one buffer that grows; used only where a line or an event is split. */
export class HeldBytes {
  bytes = new Uint8Array(0);
  length = 0;

  append(from: Uint8Array, start: number, end: number): void {
    const needed = this.length + end - start;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.max(512, needed, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(from.subarray(start, end), this.length);
    this.length = needed;
  }

  push(byte: number): void {
    if (this.length === this.bytes.length) this.append(new Uint8Array([byte]), 0, 1);
    else this.bytes[this.length++] = byte;
  }

  /** Forgets the content, and the buffer too where one odd event made it large. */
  clear(): void {
    this.length = 0;
    if (this.bytes.length > 65_536) this.bytes = new Uint8Array(0);
  }
}
