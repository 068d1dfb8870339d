import { InputError } from '../run/inputError.ts';
import { absentInt32 } from '../run/tables.ts';
import type { Ns, Tokens } from '../units.ts';
import type { Traffic, Turns } from './traffic.ts';

/** The largest token count of one request: what an Int32 column holds. */
export const maxTokens = 2147483646;
/** The longest run: integer nanoseconds stay exact to 2^53, about 104 days. */
export const maxSpanNs = Number.MAX_SAFE_INTEGER;

/**
 * Collects requests one by one, in any order, and makes the columns of a Traffic: sorted by arrival (equal arrivals stay
 * in the order in which they were added), counted from the first arrival, with block ids renumbered 0, 1, 2 … by first use.
 */
export class TrafficBuilder {
  readonly #name: string;
  readonly #blockTokens: Tokens;
  #requests = 0;
  #sorted = true;
  #arrival = new Float64Array(1024);
  #prompt = new Int32Array(1024);
  #output = new Int32Array(1024);
  #priority = new Uint8Array(1024);
  #session = new Int32Array(1024);
  #offsets = new Int32Array(1025);
  #ids = new Int32Array(1024);
  /** Of requests that wait for an answer: the request before, in order of adding, and the think time. */
  readonly #follows = new Map<number, { readonly previous: number; readonly thinkNs: Ns }>();
  readonly #dense = new DenseIds();
  /** Blocks of the request that is not closed yet. */
  #open = 0;
  /** Per dense id: 1 + the last request that used it. */
  #uses = new Int32Array(1024);

  constructor(name: string, blockTokens: Tokens) {
    this.#name = name;
    this.#blockTokens = blockTokens;
  }

  get requests(): number {
    return this.#requests;
  }

  /** Next block of the request that the next `request` call closes; false where this request already has it. */
  block(id: number | string): boolean {
    const at = this.#dense.count;
    const dense = typeof id === 'number' ? this.#dense.of(id) : this.#dense.ofText(id);
    const refs = this.#offsets[this.#requests] ?? 0;
    const next = refs + this.#open;
    // An id seen before may be in this very request: ids of one request are few enough to look only when it is not new.
    if (dense < at && this.#lastUse(dense) === this.#requests) return false;
    if (next >= this.#ids.length) this.#ids = grown(this.#ids, Int32Array);
    if (dense >= this.#uses.length) this.#uses = grown(this.#uses, Int32Array);
    this.#ids[next] = dense;
    this.#uses[dense] = this.#requests + 1;
    this.#open++;
    return true;
  }

  #lastUse(dense: number): number {
    return (this.#uses[dense] ?? 0) - 1;
  }

  /**
   * Closes a request. `arrival` may be counted from anywhere. `previous` ≥ 0 is the request, by its place among the calls,
   * for whose answer this one waits; `arrival` is then the earliest one possible.
   */
  request(
    arrival: Ns,
    prompt: Tokens,
    output: Tokens,
    priority = 0,
    session = absentInt32,
    previous = -1,
    thinkNs: Ns = 0,
  ): void {
    if (previous >= 0) this.#follows.set(this.#requests, { previous, thinkNs });
    const r = this.#requests;
    if (r >= this.#arrival.length) {
      this.#arrival = grown(this.#arrival, Float64Array);
      this.#prompt = grown(this.#prompt, Int32Array);
      this.#output = grown(this.#output, Int32Array);
      this.#priority = grown(this.#priority, Uint8Array);
      this.#session = grown(this.#session, Int32Array);
      const offsets = new Int32Array(this.#arrival.length + 1);
      offsets.set(this.#offsets);
      this.#offsets = offsets;
    }
    if (r > 0 && arrival < (this.#arrival[r - 1] ?? 0)) this.#sorted = false;
    this.#arrival[r] = arrival;
    this.#prompt[r] = prompt;
    this.#output[r] = output;
    this.#priority[r] = priority;
    this.#session[r] = session;
    this.#offsets[r + 1] = (this.#offsets[r] ?? 0) + this.#open;
    this.#open = 0;
    this.#requests = r + 1;
  }

  traffic(): Traffic {
    const n = this.#requests;
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    if (!this.#sorted) {
      const arrival = this.#arrival;
      order.sort((a, b) => (arrival[a] ?? 0) - (arrival[b] ?? 0) || a - b);
    }
    const refs = this.#offsets[n] ?? 0;
    const first = this.#arrival[order[0] ?? 0] ?? 0;
    const arrivalNs = new Float64Array(n);
    const promptTokens = new Int32Array(n);
    const outputTokens = new Int32Array(n);
    const priority = new Uint8Array(n);
    const session = new Int32Array(n);
    const blockOffsets = new Int32Array(n + 1);
    const blockIds = new Int32Array(refs);
    // A reordered trace sees its blocks in another order: number them again.
    const renumbered = this.#sorted ? undefined : new Int32Array(this.#dense.count).fill(-1);
    let unique = 0;
    let written = 0;
    for (let i = 0; i < n; i++) {
      const r = order[i] ?? 0;
      arrivalNs[i] = (this.#arrival[r] ?? 0) - first;
      promptTokens[i] = this.#prompt[r] ?? 0;
      outputTokens[i] = this.#output[r] ?? 0;
      priority[i] = this.#priority[r] ?? 0;
      session[i] = this.#session[r] ?? absentInt32;
      const end = this.#offsets[r + 1] ?? 0;
      for (let b = this.#offsets[r] ?? 0; b < end; b++) {
        const id = this.#ids[b] ?? 0;
        if (renumbered === undefined) blockIds[written++] = id;
        else {
          if ((renumbered[id] ?? -1) < 0) renumbered[id] = unique++;
          blockIds[written++] = renumbered[id] ?? 0;
        }
      }
      blockOffsets[i + 1] = written;
    }
    const span = n === 0 ? 0 : (arrivalNs[n - 1] ?? 0);
    if (!(span <= maxSpanNs)) {
      throw new InputError(
        `${this.#name}: arrivals span ${(span / 86400e9).toPrecision(3)} days, expected at most 104 days`,
      );
    }
    return {
      name: this.#name,
      requests: n,
      arrivalNs,
      promptTokens,
      outputTokens,
      priority,
      session,
      blockTokens: refs === 0 ? 0 : this.#blockTokens,
      blockOffsets,
      blockIds,
      uniqueBlocks: refs === 0 ? 0 : this.#dense.count,
      ...(this.#follows.size === 0 ? {} : { turns: this.#turns(order) }),
    };
  }

  #turns(order: Uint32Array): Turns {
    const n = order.length;
    const place = new Int32Array(n);
    order.forEach((r, i) => {
      place[r] = i;
    });
    const previous = new Int32Array(n).fill(-1);
    const thinkNs = new Float64Array(n);
    for (const [r, follows] of this.#follows) {
      const i = place[r] ?? 0;
      previous[i] = place[follows.previous] ?? -1;
      thinkNs[i] = follows.thinkNs;
    }
    return { previous, thinkNs };
  }
}

function grown<T extends Float64Array | Int32Array | Uint8Array>(old: T, make: new (length: number) => T): T {
  const larger = new make(old.length * 2);
  larger.set(old);
  return larger;
}

/** A walk longer than this through a half-empty table means that the ids were chosen to collide (it is usual below 10). */
const longWalk = 128;

/**
 * Numbers any integers 0, 1, 2 … by first use: open addressing, so that hash-like ids of 53 bits cost no more than small ones.
 * Ids that collide under one seed are spread by another: it is mixed from the ids themselves, so that no file can be written
 * whose ids collide under all of them. The numbers do not depend on the seed.
 */
class DenseIds {
  #keys = new Float64Array(4096).fill(-1);
  #values = new Int32Array(4096);
  readonly #texts = new Map<string, number>();
  #seed = 0;
  #mixed = 0;
  count = 0;

  /** Ids that are no safe integers: 64-bit ones, and strings. */
  ofText(id: string): number {
    const known = this.#texts.get(id);
    if (known !== undefined) return known;
    this.#texts.set(id, this.count);
    return this.count++;
  }

  of(id: number): number {
    const mask = this.#keys.length - 1;
    let at = spread(id, this.#seed) & mask;
    let walked = 0;
    for (;;) {
      const key = this.#keys[at];
      if (key === id) break;
      if (key === -1) {
        this.#keys[at] = id;
        this.#values[at] = this.count++;
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
    } else if (this.count * 2 > mask) this.#rehash();
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
