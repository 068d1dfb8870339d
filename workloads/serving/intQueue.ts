/** A queue of request indices that also takes back at its front: a ring that doubles when full. */
export class IntQueue {
  private ring = new Int32Array(16);
  private head = 0;
  length = 0;

  private grow(): void {
    const larger = new Int32Array(this.ring.length * 2);
    for (let i = 0; i < this.length; i++) larger[i] = this.at(i);
    this.ring = larger;
    this.head = 0;
  }

  push(value: number): void {
    if (this.length === this.ring.length) this.grow();
    this.ring[(this.head + this.length) & (this.ring.length - 1)] = value;
    this.length++;
  }

  unshift(value: number): void {
    if (this.length === this.ring.length) this.grow();
    this.head = (this.head - 1) & (this.ring.length - 1);
    this.ring[this.head] = value;
    this.length++;
  }

  shift(): number {
    const value = this.at(0);
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.length--;
    return value;
  }

  /** Takes a value out of the middle; false where it is not here. */
  remove(value: number): boolean {
    let i = 0;
    while (i < this.length && this.at(i) !== value) i++;
    if (i === this.length) return false;
    const mask = this.ring.length - 1;
    for (; i + 1 < this.length; i++) this.ring[(this.head + i) & mask] = this.at(i + 1);
    this.length--;
    return true;
  }

  /** The next request, independent of the time; −1 where empty. */
  next(): number {
    return this.length === 0 ? -1 : this.at(0);
  }

  /** The i-th from the front; i < length. */
  at(i: number): number {
    return this.ring[(this.head + i) & (this.ring.length - 1)] ?? -1;
  }
}
