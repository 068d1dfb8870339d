/** A walk longer than this through a half-empty table means that the ids were chosen to collide (it is usual below 10). */
const longWalk = 128;

const pageIds = 65_536;

/**
 * Numbers any integers 0, 1, 2 … by first use: open addressing, so that hash-like ids of 53 bits cost no more than small ones.
 * Ids that collide under one seed are spread by another: it is mixed from the ids themselves, so that no file can be written
 * whose ids collide under all of them. The numbers do not depend on the seed.
 */
export class DenseIds {
  /** Numbers + 1 of small ids, by page: ids that a file numbers itself (0, 1, 2 …) cost 4 bytes each. */
  readonly #pages: (Int32Array | undefined)[] = [];
  #keys = new Float64Array(4096).fill(-1);
  #values = new Int32Array(4096);
  readonly #texts = new Map<string, number>();
  #seed = 0;
  #mixed = 0;
  #hashed = 0;
  count = 0;

  /** Ids that are no safe integers: 64-bit ones, and strings. */
  ofText(id: string): number {
    const known = this.#texts.get(id);
    if (known !== undefined) return known;
    this.#texts.set(id, this.count);
    return this.count++;
  }

  of(id: number): number {
    const page = this.#pages[Math.floor(id / pageIds)];
    const known = page?.[id % pageIds] ?? 0;
    if (known > 0) return known - 1;
    // An id far above the number of ids is a hash; the rule is looked at when the id is new, and either table finds it later.
    if (id >= 0 && id < 4 * (this.count + pageIds) && (this.#hashed === 0 || this.#findHashed(id) < 0)) {
      const target = page ?? new Int32Array(pageIds);
      this.#pages[Math.floor(id / pageIds)] = target;
      target[id % pageIds] = this.count + 1;
      return this.count++;
    }
    return this.#ofHashed(id);
  }

  #findHashed(id: number): number {
    const mask = this.#keys.length - 1;
    let at = spread(id, this.#seed) & mask;
    while (this.#keys[at] !== -1) {
      if (this.#keys[at] === id) return this.#values[at] ?? -1;
      at = (at + 1) & mask;
    }
    return -1;
  }

  #ofHashed(id: number): number {
    const mask = this.#keys.length - 1;
    let at = spread(id, this.#seed) & mask;
    let walked = 0;
    for (;;) {
      const key = this.#keys[at];
      if (key === id) break;
      if (key === -1) {
        this.#keys[at] = id;
        this.#values[at] = this.count++;
        this.#hashed++;
        this.#mixed = spread(id, this.#mixed);
        break;
      }
      at = (at + 1) & mask;
      walked++;
    }
    const value = this.#values[at] ?? 0;
    if (walked > longWalk) {
      this.#seed = spread(this.#mixed, this.#seed ^ this.count) | 1;
      this.#rehash();
    } else if (this.#hashed * 2 > mask) this.#rehash();
    return value;
  }

  /** Into a table of twice the size: a new seed is worth the room, and cannot come more than some twenty times. */
  #rehash(): void {
    const keys = this.#keys;
    const values = this.#values;
    this.#keys = new Float64Array(keys.length * 2).fill(-1);
    this.#values = new Int32Array(keys.length * 2);
    const mask = this.#keys.length - 1;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] ?? -1;
      if (key === -1) continue;
      let at = spread(key, this.#seed) & mask;
      while (this.#keys[at] !== -1) at = (at + 1) & mask;
      this.#keys[at] = key;
      this.#values[at] = values[i] ?? 0;
    }
  }
}

/** 32 bits of both halves of an integer below 2^53. */
const spread = (id: number, seed: number): number => {
  let h = Math.imul((id | 0) ^ seed, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ (Math.floor(id / 4294967296) | 0), 0x85ebca6b);
  return h ^ (h >>> 13);
};
